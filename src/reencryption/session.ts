/** How a connection that re-encrypts is set up. */
import type pg from 'pg';

/**
 * Keys travel as text in cursors, so their text form must not depend on who connects. Every row is found by its key: a plan that
 * reads the whole table for a page of it may look cheaper to the planner and never is. Idempotent.
 */
const SETTINGS = `
SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;
SET bytea_output = 'hex'; SET client_min_messages = warning; SET jit = off; SET default_transaction_isolation = 'read committed';
SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; SET row_security = off`;

/** What an administrator's role may bring along for work by hand, and what not every version knows. */
const NO_LIMITS = `
SELECT set_config(name, '0', false) FROM pg_settings
 WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')`;

export async function prepareSession(client: pg.Client): Promise<void> {
  await client.query(SETTINGS);
  await client.query(NO_LIMITS);
}

/**
 * For writes beside an application at work. The server looks for a deadlock when somebody has waited for `deadlock_timeout`, and ends
 * the transaction that looked. So that this is never the application's, no statement of ours holds its locks for as long: whoever
 * waits for one of them gets it before looking.
 */
export async function limitLocks(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ ms: number }>(
    `SELECT setting::int AS ms FROM pg_settings WHERE name = 'deadlock_timeout'`,
  );
  const deadlock = rows[0]?.ms ?? 1_000;
  const lock = Math.max(1, Math.floor(deadlock / 10));
  const statement = Math.max(2, Math.floor(deadlock * 0.6));
  await client.query(`SET lock_timeout = ${lock}; SET statement_timeout = ${statement}`);
}
