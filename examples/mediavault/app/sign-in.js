import { promisify } from 'node:util';
import { authenticate } from '../../lib/users.js';

export const COOKIE = 'mediavault.sid';

/** @type {import('express').RequestHandler} */
export function signedIn(request, response, next) {
  if (request.session.user) return next();
  response.status(401).json({ error: 'not signed in' });
}

/** @type {import('express').RequestHandler} */
export function administrator(request, response, next) {
  if (!request.session.user) return response.status(401).json({ error: 'not signed in' });
  if (request.session.user.role === 'admin') return next();
  response.status(403).json({ error: 'administrators only' });
}

/**
 * @param {import('express').Express} app
 * @param {{ pool: import('pg').Pool, log: import('./activity.js').ActivityLog, metrics: { count(name: string): void } }} tools
 */
export function addSignIn(app, { pool, log, metrics }) {
  // A session cookie that leads nowhere: signed with another secret, revoked, or expired.
  app.use(async (request, response, next) => {
    if (!request.session.user && request.headers.cookie?.includes(`${COOKIE}=`)) {
      metrics.count('sessionsRejected');
      response.clearCookie(COOKIE);
      await log('auth.session_rejected', null, request.path);
    }
    next();
  });

  app.post('/api/auth/login', async (request, response) => {
    const user = await authenticate(pool, request.body?.username, request.body?.password);
    if (!user) {
      metrics.count('loginsFailed');
      await log('auth.login_failed', String(request.body?.username ?? ''));
      return response.status(401).json({ error: 'wrong user name or password' });
    }
    // A fresh id, so that an id planted before the login is worth nothing after it.
    await promisify(request.session.regenerate.bind(request.session))();
    request.session.user = user;
    await promisify(request.session.save.bind(request.session))();
    await log('auth.login', user.username);
    response.json({ user });
  });

  app.get('/api/auth/me', signedIn, (request, response) => {
    response.json({ user: request.session.user });
  });

  app.post('/api/auth/logout', signedIn, async (request, response) => {
    const { username } = request.session.user;
    await promisify(request.session.destroy.bind(request.session))();
    await log('auth.logout', username);
    response.clearCookie(COOKIE);
    response.json({ status: 'signed out' });
  });

  app.get('/api/activity', administrator, async (_request, response) => {
    const { rows } = await pool.query(
      'SELECT id, action, username, detail, created_at FROM activity_log ORDER BY id DESC LIMIT 50',
    );
    response.json({ activity: rows });
  });
}
