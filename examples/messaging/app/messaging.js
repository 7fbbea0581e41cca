/** A messaging service: access and refresh tokens under two secrets, guarded metrics, PostgreSQL over a pool of connections. */
import { answers, openDatabase } from '../../lib/database.js';
import { ConfigurationError, required, wholeNumber } from '../../lib/environment.js';
import { addHealth, createApp, handleErrors } from '../../lib/http.js';
import { createMetrics } from '../../lib/metrics.js';
import { seedUsers } from '../../lib/users.js';
import { addAccounts, requireSignIn } from './accounts.js';
import { addArchives } from './archives.js';
import { addMessages } from './messages.js';
import { guardMetrics } from './metrics-guard.js';
import { MIGRATIONS } from './schema.js';
import { assertApart, readPair } from './secrets.js';
import { createSignIns } from './sign-ins.js';
import { createTokens } from './tokens.js';

/** @param {NodeJS.ProcessEnv} env @returns {Promise<import('../../lib/serve.js').Application>} */
export async function createMessaging(env) {
  const secrets = {
    JWT_ACCESS_SECRET: readPair(env, 'JWT_ACCESS_SECRET'),
    JWT_REFRESH_SECRET: readPair(env, 'JWT_REFRESH_SECRET'),
    METRICS_AUTH_TOKEN: readPair(env, 'METRICS_AUTH_TOKEN'),
  };
  assertApart(secrets);
  const access = createTokens('access', secrets.JWT_ACCESS_SECRET, wholeNumber(env, 'ACCESS_TOKEN_SECONDS', 900));
  const refresh = createTokens(
    'refresh',
    secrets.JWT_REFRESH_SECRET,
    wholeNumber(env, 'REFRESH_TOKEN_SECONDS', 7 * 86_400),
  );
  // The process id, as in /api/health: whoever is still on an old role is found by it.
  const pool = await openDatabase(poolOf(env), `messaging-${process.pid}`, MIGRATIONS);
  await seedUsers(pool, env);

  const metrics = createMetrics(['loginsFailed', 'tokensRejected', 'refreshReused']);
  const signIns = createSignIns(pool, { access, refresh });
  const signedIn = requireSignIn({ access, signIns, metrics });
  const app = createApp(metrics, { guard: guardMetrics(secrets.METRICS_AUTH_TOKEN) });
  addHealth(
    app,
    () => answers(pool),
    // The one counter that needs no token, for whoever watches a rollout. Left out when the primary is too busy to count.
    () =>
      metrics.totals().then(
        (totals) => ({ serverErrors: totals['5xx'] ?? 0 }),
        () => ({}),
      ),
  );
  addAccounts(app, { pool, refresh, signIns, metrics, signedIn });
  addMessages(app, pool, signedIn);
  addArchives(app, pool, signedIn);
  handleErrors(app, 'messaging');
  return {
    handler: app,
    async close() {
      await metrics.close();
      await pool.end();
    },
  };
}

/** @param {NodeJS.ProcessEnv} env @returns {import('pg').PoolConfig} */
function poolOf(env) {
  const min = wholeNumber(env, 'DATABASE_POOL_MIN', 3);
  const max = wholeNumber(env, 'DATABASE_POOL_MAX', 10);
  if (max < 1 || min > max)
    throw new ConfigurationError('DATABASE_POOL_MAX must be 1 or more, and not below the minimum');
  return { connectionString: required(env, 'DATABASE_URL'), min, max };
}
