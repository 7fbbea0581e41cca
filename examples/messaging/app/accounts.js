/** Signing in, staying signed in, signing out. */
import { authenticate } from '../../lib/users.js';
import { bearer } from './tokens.js';

/**
 * @param {{ access: import('./tokens.js').Tokens, signIns: import('./sign-ins.js').SignIns, metrics: { count(name: string): void } }} tools
 * @returns {import('express').RequestHandler}
 */
export function requireSignIn({ access, signIns, metrics }) {
  return async (request, response, next) => {
    const token = bearer(request);
    const claims = await access.read(token);
    const user = claims && (await signIns.userOf(claims));
    if (!claims || !user) {
      if (token) metrics.count('tokensRejected');
      return response.status(401).json({ error: 'not signed in' });
    }
    response.locals.user = user;
    response.locals.signIn = claims.signIn;
    next();
  };
}

/**
 * @param {import('express').Express} app
 * @param {{ pool: import('pg').Pool, refresh: import('./tokens.js').Tokens, signIns: import('./sign-ins.js').SignIns,
 *   metrics: { count(name: string): void }, signedIn: import('express').RequestHandler }} tools
 */
export function addAccounts(app, { pool, refresh, signIns, metrics, signedIn }) {
  app.post('/api/auth/login', async (request, response) => {
    const user = await authenticate(pool, request.body?.username, request.body?.password);
    if (!user) {
      metrics.count('loginsFailed');
      return response.status(401).json({ error: 'wrong user name or password' });
    }
    response.json({ user, ...(await signIns.open(user.id)) });
  });

  app.post('/api/auth/refresh', async (request, response) => {
    const claims = await refresh.read(request.body?.refreshToken);
    const result = claims ? await signIns.refresh(claims) : { outcome: /** @type {const} */ ('refused') };
    if (result.outcome === 'refreshed') return response.json(result.issued);
    metrics.count(result.outcome === 'reused' ? 'refreshReused' : 'tokensRejected');
    response.status(401).json({ error: 'refresh token refused' });
  });

  // For a client that wants to know before it starts, and for a proof: a refresh token works once, a look at it costs nothing.
  app.get('/api/auth/refresh', async (request, response) => {
    const claims = await refresh.read(bearer(request));
    const fresh = claims !== undefined && (await signIns.isFresh(claims));
    response.status(fresh ? 200 : 401).json(fresh ? { status: 'fresh' } : { error: 'refresh token refused' });
  });

  app.post('/api/auth/logout', signedIn, async (_request, response) => {
    await signIns.revoke(response.locals.signIn);
    response.json({ status: 'signed out' });
  });

  app.get('/api/me', signedIn, (_request, response) => {
    response.json({ user: response.locals.user });
  });
}
