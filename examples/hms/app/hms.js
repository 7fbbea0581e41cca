/** A hotel's back office: access and refresh tokens under JWT_SECRET, impersonation for administrators, an audit log. */
import { answers, openDatabase } from '../../lib/database.js';
import { assertStrong, required, wholeNumber } from '../../lib/environment.js';
import { addHealth, createApp, handleErrors } from '../../lib/http.js';
import { createMetrics } from '../../lib/metrics.js';
import { authenticate, findUser, seedUsers } from '../../lib/users.js';
import { createFamilies } from './families.js';
import { addImpersonation } from './impersonation.js';
import { MIGRATIONS } from './schema.js';
import { createTokens } from './tokens.js';

/** @typedef {(action: string, username: string | null, detail?: string) => Promise<void>} Audit */

/** @param {NodeJS.ProcessEnv} env @returns {Promise<import('../../lib/serve.js').Application>} */
export async function createHms(env) {
  const secret = required(env, 'JWT_SECRET');
  assertStrong('JWT_SECRET', secret, env);
  const tokens = createTokens(secret, {
    accessSeconds: wholeNumber(env, 'ACCESS_TOKEN_SECONDS', 900),
    refreshSeconds: wholeNumber(env, 'REFRESH_TOKEN_SECONDS', 7 * 86_400),
  });
  const pool = await openDatabase({ connectionString: required(env, 'DATABASE_URL') }, 'hms', MIGRATIONS);
  await seedUsers(pool, env);

  const metrics = createMetrics(['loginsFailed', 'tokensRejected', 'refreshReused']);
  const families = createFamilies(pool, tokens);
  /** @type {Audit} */
  const audit = async (action, username, detail) => {
    const values = [action, username?.slice(0, 100) ?? null, detail ?? null];
    await pool.query('INSERT INTO audit_log (action, username, detail) VALUES ($1, $2, $3)', values);
  };
  /** @type {import('express').RequestHandler} */
  const signedIn = async (request, response, next) => {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    const access = scheme?.toLowerCase() === 'bearer' ? await tokens.readAccess(token) : undefined;
    const user = access && (await families.lives(access.family)) ? await findUser(pool, access.user) : undefined;
    if (!access || !user || (access.impersonation && !(await impersonationLives(pool, access.impersonation)))) {
      if (token) metrics.count('tokensRejected');
      return response.status(401).json({ error: 'not signed in' });
    }
    response.locals.access = access;
    response.locals.user = user;
    next();
  };

  const app = createApp(metrics);
  addHealth(app, () => answers(pool));
  addSignIn(app, { pool, tokens, families, metrics, audit, signedIn });
  addImpersonation(app, { pool, tokens, audit, signedIn });
  addBookings(app, pool, signedIn);
  handleErrors(app, 'hms');
  return {
    handler: app,
    async close() {
      await metrics.close();
      await pool.end();
    },
  };
}

/** @param {import('pg').Pool} pool @param {string} id */
async function impersonationLives(pool, id) {
  const { rows } = await pool.query('SELECT 1 FROM impersonations WHERE id = $1 AND ended_at IS NULL', [id]);
  return rows.length === 1;
}

/**
 * @param {import('express').Express} app
 * @param {{ pool: import('pg').Pool, tokens: ReturnType<typeof createTokens>, families: ReturnType<typeof createFamilies>,
 *   metrics: { count(name: string): void }, audit: Audit, signedIn: import('express').RequestHandler }} tools
 */
function addSignIn(app, { pool, tokens, families, metrics, audit, signedIn }) {
  app.post('/api/auth/login', async (request, response) => {
    const user = await authenticate(pool, request.body?.username, request.body?.password);
    if (!user) {
      metrics.count('loginsFailed');
      await audit('auth.login_failed', String(request.body?.username ?? ''));
      return response.status(401).json({ error: 'wrong user name or password' });
    }
    await audit('auth.login', user.username);
    response.json({ user, ...(await families.open(user.id)) });
  });

  app.post('/api/auth/refresh', async (request, response) => {
    const token = request.body?.refreshToken;
    const claims = await tokens.readRefresh(token);
    const result = claims ? await families.refresh(token, claims) : { outcome: /** @type {const} */ ('refused') };
    if (result.outcome === 'refreshed') return response.json(result.issued);
    if (result.outcome === 'reused') {
      metrics.count('refreshReused');
      const user = await findUser(pool, /** @type {{ user: string }} */ (claims).user);
      await audit('auth.refresh_reuse', user?.username ?? null, 'the whole token family is revoked');
    } else metrics.count('tokensRejected');
    response.status(401).json({ error: 'refresh token refused' });
  });

  app.post('/api/auth/logout', signedIn, async (_request, response) => {
    await families.revoke(response.locals.access.family);
    await audit('auth.logout', response.locals.user.username);
    response.json({ status: 'signed out' });
  });

  app.get('/api/me', signedIn, (_request, response) => {
    const { user, access } = response.locals;
    response.json({ user, impersonating: access.impersonation !== undefined });
  });
}

/** @param {import('express').Express} app @param {import('pg').Pool} pool @param {import('express').RequestHandler} signedIn */
function addBookings(app, pool, signedIn) {
  app.get('/api/bookings', signedIn, async (_request, response) => {
    const { rows } = await pool.query(
      'SELECT id, title, created_at FROM bookings WHERE owner = $1 ORDER BY id DESC LIMIT 20',
      [response.locals.user.id],
    );
    response.json({ bookings: rows });
  });

  app.post('/api/bookings', signedIn, async (request, response) => {
    const title = request.body?.title;
    if (typeof title !== 'string' || title.length === 0 || title.length > 200) {
      return response.status(400).json({ error: 'title must be a text of 1 to 200 characters' });
    }
    const { rows } = await pool.query('INSERT INTO bookings (owner, title) VALUES ($1, $2) RETURNING id, title', [
      response.locals.user.id,
      title,
    ]);
    response.status(201).json(rows[0]);
  });
}
