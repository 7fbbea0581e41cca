/** A catalogue of films and books: cookie sessions in PostgreSQL under one SESSION_SECRET, provider keys kept encrypted. */
import connectPgSimple from 'connect-pg-simple';
import session from 'express-session';
import { answers, openDatabase } from '../../lib/database.js';
import { assertStrong, required, wholeNumber } from '../../lib/environment.js';
import { addHealth, createApp, handleErrors } from '../../lib/http.js';
import { createMetrics } from '../../lib/metrics.js';
import { seedUsers } from '../../lib/users.js';
import { createActivityLog } from './activity.js';
import { addIntegrations } from './integrations.js';
import { MIGRATIONS } from './schema.js';
import { addSignIn, COOKIE, signedIn } from './sign-in.js';

const SESSION_DAYS = 7;

/** @param {NodeJS.ProcessEnv} env @returns {Promise<import('../../lib/serve.js').Application>} */
export async function createMediavault(env) {
  const sessionSecret = required(env, 'SESSION_SECRET');
  const encryptionKeys = [required(env, 'INTEGRATION_ENCRYPTION_KEY')];
  if (env.INTEGRATION_ENCRYPTION_KEY_PREVIOUS) encryptionKeys.push(env.INTEGRATION_ENCRYPTION_KEY_PREVIOUS);
  assertStrong('SESSION_SECRET', sessionSecret, env);
  for (const key of encryptionKeys) assertStrong('INTEGRATION_ENCRYPTION_KEY', key, env);

  const pool = await openDatabase(
    {
      host: env.DB_HOST ?? '127.0.0.1',
      port: wholeNumber(env, 'DB_PORT', 5432),
      user: env.DB_USER ?? 'mediavault',
      password: required(env, 'DB_PASSWORD'),
      database: env.POSTGRES_DB ?? 'mediavault',
    },
    'mediavault',
    MIGRATIONS,
  );
  await seedUsers(pool, env);

  const metrics = createMetrics(['loginsFailed', 'sessionsRejected']);
  const log = createActivityLog(pool);
  const app = createApp(metrics);
  addHealth(app, () => answers(pool));
  const store = new (connectPgSimple(session))({ pool, tableName: 'user_sessions' });
  app.use(
    session({
      store,
      name: COOKIE,
      secret: sessionSecret,
      resave: false,
      saveUninitialized: false,
      cookie: {
        httpOnly: true,
        sameSite: 'lax',
        secure: env.COOKIE_SECURE === 'true',
        maxAge: SESSION_DAYS * 86_400_000,
      },
    }),
  );
  addSignIn(app, { pool, log, metrics });
  addMedia(app, pool);
  await addIntegrations(app, { pool, log, env, encryptionKeys });
  handleErrors(app, 'mediavault');

  return {
    handler: app,
    async close() {
      await metrics.close();
      await store.close();
      await pool.end();
    },
  };
}

/** @param {import('express').Express} app @param {import('pg').Pool} pool */
function addMedia(app, pool) {
  app.get('/api/media', signedIn, async (request, response) => {
    const { rows } = await pool.query(
      'SELECT id, title, created_at FROM media_items WHERE owner = $1 ORDER BY id DESC LIMIT 20',
      [request.session.user.id],
    );
    response.json({ items: rows });
  });

  app.post('/api/media', signedIn, async (request, response) => {
    const title = request.body?.title;
    if (typeof title !== 'string' || title.length === 0 || title.length > 200) {
      return response.status(400).json({ error: 'title must be a text of 1 to 200 characters' });
    }
    const { rows } = await pool.query('INSERT INTO media_items (owner, title) VALUES ($1, $2) RETURNING id, title', [
      request.session.user.id,
      title,
    ]);
    response.status(201).json(rows[0]);
  });
}
