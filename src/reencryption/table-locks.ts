/** Tables held against writers, and who else holds them when they cannot be had. */
import type pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { formatMilliseconds } from '../domain/durations.js';
import { oneLine } from '../processes/safe-text.js';
import type { Server } from '../databases/server.js';
import type { ColumnFacts } from './column-facts.js';
import { tableOf } from './page-statements.js';

/**
 * Within a transaction. Readers go on; whoever writes waits. Always in the same order, so that two runs cannot deadlock.
 * @throws KeyturnError `table-locked` (retryable), after which the transaction is rolled back.
 */
export async function lockTables(
  client: pg.Client,
  { server, columns, wait }: { server: Server; columns: readonly ColumnFacts[]; wait: number },
): Promise<void> {
  const tables = [...new Set(columns.map((facts) => tableOf(facts)))].sort();
  await client.query(`SET LOCAL lock_timeout = ${Math.max(1, Math.round(wait))}`);
  for (const table of tables) {
    try {
      await client.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
    } catch (error) {
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      await client.query('ROLLBACK');
      // The administrator sees who they are and since when.
      const holders = await server.asAdministrator((all) => holdersOf(all, table.replace(/^ONLY /, '')));
      throw new KeyturnError(
        'table-locked',
        `${table.replace(/^ONLY /, '')} could not be held against writers within ${formatMilliseconds(wait)}: ${holders}`,
        {
          retryable: true,
          hint: 'stop what still writes to it; a session idle in a transaction holds what it has touched',
        },
      );
    }
  }
  await client.query('SET LOCAL lock_timeout = 0');
}

/** A right to the whole table: that to a column, with which its rows can be written, is not enough. */
const MAY_LOCK = `SELECT has_table_privilege($1, 'UPDATE, DELETE, TRUNCATE') AS may, current_user::text AS "user"`;

/** Whether `lockTables` may hold it. @throws KeyturnError `insufficient-privilege`. */
export async function demandLockable(client: pg.Client, facts: ColumnFacts): Promise<void> {
  const table = tableOf(facts).replace(/^ONLY /, '');
  const { rows } = await client.query<{ may: boolean; user: string }>(MAY_LOCK, [table]);
  if (rows[0]?.may !== false) return;
  throw new KeyturnError('insufficient-privilege', `${rows[0].user} may not hold ${table} against writers`, {
    hint: `GRANT UPDATE ON ${table} TO ${rows[0].user}: the right to some columns is not enough for mode: atomic`,
  });
}

interface Holder {
  readonly pid: number;
  readonly who: string | null;
  readonly application: string | null;
  readonly state: string | null;
  readonly since: number | null;
}

/** Every mode but ACCESS SHARE, which is a reader's, stands against EXCLUSIVE. */
const HOLDERS = `
SELECT DISTINCT l.pid, a.usename::text AS who, nullif(a.application_name, '') AS application, coalesce(a.state, a.backend_type) AS state,
       (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::float8 AS since
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND l.mode <> 'AccessShareLock' AND l.pid <> pg_backend_pid()
   AND l.relation IN (SELECT relid FROM pg_partition_tree($1::regclass) UNION SELECT $1::regclass)
 ORDER BY 1 LIMIT 5`;

async function holdersOf(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<Holder>(HOLDERS, [table]);
  if (rows.length === 0) return 'whoever held it has just let go';
  return rows
    .map(({ pid, who, application, state, since }) => {
      const name = oneLine(application ?? 'a session', 60);
      const long = since === null ? '' : ` for ${formatMilliseconds(since)}`;
      return `${name} (${who === null ? '' : `${oneLine(who, 63)}, `}pid ${pid}, ${state ?? 'state not shown'}${long})`;
    })
    .join(', ');
}
