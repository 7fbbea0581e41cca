/** PostgreSQL for an application: a small pool, migrations, and a question that tells whether it answers. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const WAIT_FOR_DATABASE_MS = 15_000;
/** Any fixed number: workers that start together take turns with the migrations. */
const MIGRATION_LOCK = 7_265_001;

/**
 * @param {import('pg').PoolConfig} config `min` connections are opened at once and kept. @param {string} name Shown in pg_stat_activity.
 * @param {string | readonly string[]} migrations SQL, in this order. Each piece is run once in a database and remembered.
 */
export async function openDatabase(config, name, migrations) {
  const pool = new pg.Pool({
    max: 5,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    ...config,
    application_name: name,
  });
  // An idle connection that the server ends is replaced at its next use; without a listener it would end the process.
  pool.on('error', (error) => console.error(`${name}: database connection lost: ${error.message}`));
  try {
    await available(pool, name);
    await migrate(pool, [migrations].flat());
    await open(pool, config.min ?? 0);
  } catch (error) {
    await pool.end().catch(() => undefined);
    throw error;
  }
  return pool;
}

/**
 * What has been applied is not touched again: a later start may be as another role, which may use these tables but does not own
 * them, and PostgreSQL asks for ownership even where `IF NOT EXISTS` finds that there is nothing to do.
 * @param {import('pg').Pool} pool @param {readonly string[]} migrations
 */
async function migrate(pool, migrations) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const applied = await appliedMigrations(client);
    const missing = migrations.filter((sql) => !applied?.has(digestOf(sql)));
    if (!applied) await client.query('CREATE TABLE applied_migrations (digest text PRIMARY KEY)');
    for (const sql of missing) {
      await client.query(sql);
      await client.query('INSERT INTO applied_migrations (digest) VALUES ($1) ON CONFLICT DO NOTHING', [digestOf(sql)]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

/** @param {import('pg').PoolClient} client @returns {Promise<Set<string> | undefined>} undefined in a new database. */
async function appliedMigrations(client) {
  if (!(await tableExists(client, 'applied_migrations'))) return undefined;
  const { rows } = await client.query('SELECT digest FROM applied_migrations');
  return new Set(rows.map((row) => row.digest));
}

/**
 * Reads the catalogue's rows. `to_regclass` answers from what the session remembers, also that a table was not there, and waiting
 * for an advisory lock does not make it forget: whoever waited would make the table a second time.
 * @param {import('pg').Pool | import('pg').PoolClient} client @param {string} table @returns {Promise<boolean>}
 */
export async function tableExists(client, table) {
  const { rows } = await client.query(
    'SELECT FROM pg_catalog.pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace',
    [table],
  );
  return rows.length > 0;
}

/** @param {string} sql */
function digestOf(sql) {
  return createHash('sha256').update(sql).digest('hex');
}

/** The first requests find their connections open. @param {import('pg').Pool} pool @param {number} count */
async function open(pool, count) {
  const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()));
  for (const client of clients) client.release();
}

/** @param {import('pg').Pool} pool @returns {Promise<boolean>} */
export async function answers(pool) {
  try {
    await pool.query('SELECT 1');
    return true;
  } catch {
    return false;
  }
}

/** Waits for a server that is still starting; anything else it says (a wrong password) is an answer. */
async function available(/** @type {import('pg').Pool} */ pool, /** @type {string} */ name) {
  const deadline = Date.now() + WAIT_FOR_DATABASE_MS;
  for (;;) {
    try {
      await pool.query('SELECT 1');
      return;
    } catch (error) {
      const { code, message } = /** @type {import('pg').DatabaseError} */ (error);
      const starting = code === 'ECONNREFUSED' || code === '57P03';
      if (!starting || Date.now() > deadline) throw new Error(`the database refused: ${message || code}`);
      console.log(`${name}: waiting for the database`);
      await sleep(500);
    }
  }
}
