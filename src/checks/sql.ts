import { milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedCheck } from '../domain/specs/check.js';
import type { DatabaseRef } from '../domain/specs/database.js';
import type pg from 'pg';
import type { CheckAnswer, CheckContext } from './check.js';
import { firstValue, queryOne, withDatabase } from './database.js';
import { mismatch } from './expectation.js';
import { oneLine } from '../processes/safe-text.js';

export type PlannedSqlCheck = Extract<PlannedCheck, { type: 'sql' }>;

/** One statement in a read-only transaction; `rows` is the number of rows, `value` the first column of the first row. */
export async function askSql(check: PlannedSqlCheck, context: CheckContext): Promise<CheckAnswer> {
  try {
    const result = await readOnly(check.database, check.query, milliseconds(check.timeout), context);
    const { rows, value } = check.expect;
    const wrong = [
      rows === undefined ? null : prefixed('the number of rows', mismatch(rows, result.rows.length)),
      value === undefined ? null : prefixed('the value', mismatch(value, firstValue(result))),
    ].filter((words) => words !== null);
    if (wrong.length > 0) return { passed: false, summary: oneLine(`query answered: ${wrong.join('; ')}`) };
    return { passed: true, summary: `query answered as expected (rows: ${result.rows.length})` };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { passed: false, summary: oneLine(`query: ${error.message}`) };
  }
}

/** @throws KeyturnError, see `withDatabase`. */
export function readOnly(
  database: DatabaseRef,
  query: string,
  limit: number,
  context: CheckContext,
): Promise<pg.QueryResult<Record<string, unknown>>> {
  return withDatabase(database, context, { limit }, async (client) => {
    // SET LOCAL, not a start-up option: poolers such as pgbouncer refuse those.
    await client.query('BEGIN READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${limit}`);
    const result = await queryOne(client, query);
    await client.query('ROLLBACK');
    return result;
  });
}

function prefixed(what: string, words: string | null): string | null {
  return words === null ? null : `${what} is ${words}`;
}
