/** A task board. Its sessions outlive a rotation: SESSION_SECRET is a list, the first entry signs, all of them are accepted. */
import { promisify } from 'node:util';
import connectPgSimple from 'connect-pg-simple';
import session from 'express-session';
import { answers, openDatabase } from '../../lib/database.js';
import { assertStrong, ConfigurationError, required, wholeNumber } from '../../lib/environment.js';
import { addHealth, createApp, handleErrors } from '../../lib/http.js';
import { createMetrics } from '../../lib/metrics.js';
import { authenticate, seedUsers, USERS_TABLE } from '../../lib/users.js';

const COOKIE = 'vibe.sid';
const DAY_SECONDS = 86_400;

const MIGRATIONS = `
  ${USERS_TABLE}
  CREATE TABLE IF NOT EXISTS sessions (sid text PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL);
  CREATE INDEX IF NOT EXISTS sessions_expire ON sessions (expire);
  CREATE TABLE IF NOT EXISTS tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    title text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
`;

/** @param {NodeJS.ProcessEnv} env @returns {Promise<import('../../lib/serve.js').Application>} */
export async function createMgmtVibe(env) {
  const secrets = sessionSecrets(env);
  const pool = await openDatabase({ connectionString: required(env, 'DATABASE_URL') }, 'mgmt-vibe', MIGRATIONS);
  await seedUsers(pool, env);

  const metrics = createMetrics(['loginsFailed', 'sessionsRejected']);
  const app = createApp(metrics);
  addHealth(app, () => answers(pool));
  const store = new (connectPgSimple(session))({ pool, tableName: 'sessions' });
  app.use(
    session({
      store,
      name: COOKIE,
      secret: secrets,
      resave: false,
      saveUninitialized: false,
      // Every answer signs the cookie again with the first secret: whoever comes back within its life moves to the new one.
      rolling: true,
      cookie: {
        httpOnly: true,
        sameSite: 'lax',
        secure: env.COOKIE_SECURE === 'true',
        maxAge: wholeNumber(env, 'SESSION_MAX_AGE_SECONDS', DAY_SECONDS) * 1_000,
      },
    }),
  );
  addSignIn(app, pool, metrics);
  addTasks(app, pool);
  handleErrors(app, 'mgmt-vibe');

  return {
    handler: app,
    async close() {
      await metrics.close();
      await store.close();
      await pool.end();
    },
  };
}

/** @param {NodeJS.ProcessEnv} env @returns {string[]} */
function sessionSecrets(env) {
  const secrets = required(env, 'SESSION_SECRET')
    .split(',')
    .map((secret) => secret.trim());
  secrets.forEach((secret, index) => assertStrong(`SESSION_SECRET (entry ${index + 1})`, secret, env));
  if (new Set(secrets).size < secrets.length) throw new ConfigurationError('SESSION_SECRET names the same value twice');
  return secrets;
}

/** @type {import('express').RequestHandler} */
function signedIn(request, response, next) {
  if (request.session.user) return next();
  response.status(401).json({ error: 'not signed in' });
}

/** @param {import('express').Express} app @param {import('pg').Pool} pool @param {{ count(name: string): void }} metrics */
function addSignIn(app, pool, metrics) {
  app.use((request, _response, next) => {
    if (!request.session.user && request.headers.cookie?.includes(`${COOKIE}=`)) metrics.count('sessionsRejected');
    next();
  });

  app.post('/api/auth/login', async (request, response) => {
    const user = await authenticate(pool, request.body?.username, request.body?.password);
    if (!user) {
      metrics.count('loginsFailed');
      return response.status(401).json({ error: 'wrong user name or password' });
    }
    await promisify(request.session.regenerate.bind(request.session))();
    request.session.user = user;
    await promisify(request.session.save.bind(request.session))();
    response.json({ user });
  });

  app.get('/api/auth/me', signedIn, (request, response) => {
    response.json({ user: request.session.user });
  });

  app.post('/api/auth/logout', signedIn, async (request, response) => {
    await promisify(request.session.destroy.bind(request.session))();
    response.clearCookie(COOKIE);
    response.json({ status: 'signed out' });
  });
}

/** @param {import('express').Express} app @param {import('pg').Pool} pool */
function addTasks(app, pool) {
  app.get('/api/tasks', signedIn, async (request, response) => {
    const { rows } = await pool.query(
      'SELECT id, title, created_at FROM tasks WHERE owner = $1 ORDER BY id DESC LIMIT 20',
      [request.session.user.id],
    );
    response.json({ tasks: rows });
  });

  app.post('/api/tasks', signedIn, async (request, response) => {
    const title = request.body?.title;
    if (typeof title !== 'string' || title.length === 0 || title.length > 200) {
      return response.status(400).json({ error: 'title must be a text of 1 to 200 characters' });
    }
    const { rows } = await pool.query('INSERT INTO tasks (owner, title) VALUES ($1, $2) RETURNING id, title', [
      request.session.user.id,
      title,
    ]);
    response.status(201).json(rows[0]);
  });
}
