/** Ends the sessions that an application keeps in PostgreSQL (runbook 000, "Force Re-Auth": DELETE FROM user_sessions). */
import type { Effect } from '../domain/errors.js';
import { KeyturnError } from '../domain/errors.js';
import type { DatabaseRef } from '../domain/specs/database.js';
import type { CheckContext } from './check.js';
import { firstValue, queryOne, withDatabase } from './database.js';
import type pg from 'pg';

/** Counting and deleting a few million session rows takes seconds; what takes longer waits for a lock that will not come. */
const LIMIT = 60_000;

export interface Revocation {
  /** Live sessions right before, in the same transaction as the revocation. */
  readonly before: number;
  /** Right after it was committed. More than 0 when people sign in again at once: those sessions are new. */
  readonly after: number;
  /** Rows that the statements changed; where the server does not say (a function call), the difference of the counts. */
  readonly revoked: number;
}

/** Changes nothing. @throws KeyturnError `bad-count` when the answer is not a whole number; else see `withDatabase`. */
export function countSessions(database: DatabaseRef, sql: string, context: CheckContext): Promise<number> {
  return withDatabase(database, context, { limit: LIMIT }, async (client) => {
    await begin(client, 'BEGIN READ ONLY');
    const count = await countWith(client, sql);
    await client.query('ROLLBACK');
    return count;
  });
}

/** What a transaction cannot hold: COMMIT, VACUUM. */
const NOT_SUPPORTED = '0A000';

/** A trial must not hold up those who sign in meanwhile. */
const TRIAL_LOCK_LIMIT = 1_000;

/**
 * What `revokeSessions` would do, in a transaction that is rolled back: a missing right or table is found while nothing depends on it.
 * Within a DO block, where a statement that ends the transaction is refused: what is tried must not become real.
 * @returns how many sessions are live. @throws KeyturnError as `countSessions`.
 */
export function tryRevocation(
  database: DatabaseRef,
  statements: { readonly count: string; readonly revoke: string },
  context: CheckContext,
): Promise<number> {
  return withDatabase(database, context, { limit: LIMIT }, async (client) => {
    await begin(client, 'BEGIN');
    const live = await countWith(client, statements.count);
    await client.query(`SET LOCAL lock_timeout = ${TRIAL_LOCK_LIMIT}`);
    const block = client.escapeLiteral(`BEGIN EXECUTE ${client.escapeLiteral(statements.revoke)}; END`);
    await client.query(`DO ${block}`).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== NOT_SUPPORTED) throw error;
      throw new KeyturnError('bad-revocation', 'the statements that end all sessions end the transaction too', {
        hint: 'leave out COMMIT, ROLLBACK and what runs outside of a transaction only: all sessions end, or none',
      });
    });
    // What is checked at the end of a transaction only: this one has none.
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
    await client.query('ROLLBACK');
    return live;
  });
}

/**
 * All sessions or none: one transaction. Idempotent: a repeated call ends what has begun since, and its counts say so; after a
 * lost answer the first call's counts are gone, so callers count with `countSessions` before the first attempt.
 * @throws KeyturnError as `countSessions`; effect `unknown` only when the connection was lost during COMMIT.
 */
export function revokeSessions(
  database: DatabaseRef,
  statements: { readonly count: string; readonly revoke: string },
  context: CheckContext,
): Promise<Revocation> {
  let effect: Effect = 'none';
  return withDatabase(database, context, { limit: LIMIT, effect: () => effect }, async (client) => {
    await begin(client, 'BEGIN');
    const before = await countWith(client, statements.count);
    // Several statements may be needed (sessions and refresh tokens); the simple protocol takes them in one text.
    const results = [await client.query(statements.revoke)].flat() as pg.QueryResult[];
    effect = 'unknown';
    await client.query('COMMIT');
    effect = 'applied';
    const after = await countWith(client, statements.count);
    return { before, after, revoked: changedRows(results) ?? Math.max(0, before - after) };
  });
}

async function begin(client: pg.Client, statement: string): Promise<void> {
  await client.query(statement);
  // A little less than our own limit, so that the server ends the statement and says why.
  await client.query(`SET LOCAL statement_timeout = ${LIMIT - 5_000}`);
}

async function countWith(client: pg.Client, sql: string): Promise<number> {
  const value = firstValue(await queryOne(client, sql));
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new KeyturnError('bad-count', 'the query for live sessions did not answer with a whole number', {
    hint: 'its first column of the first row must be the count, e.g. SELECT count(*) FROM user_sessions',
  });
}

function changedRows(results: readonly pg.QueryResult[]): number | null {
  const changes = results.filter((result) => ['DELETE', 'UPDATE', 'INSERT', 'MERGE'].includes(result.command));
  return changes.length === 0 ? null : changes.reduce((sum, result) => sum + (result.rowCount ?? 0), 0);
}
