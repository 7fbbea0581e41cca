/**
 * Changes that lock a table against everybody, each in a transaction of its own: while one is waited for, no other is held. REASSIGN
 * OWNED takes table after table in one transaction, and holds what it has while the application queues behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Effect } from '../../domain/errors.js';
import { KeyturnError } from '../../domain/errors.js';
import { oneLine } from '../../processes/safe-text.js';
import type { Server } from '../server.js';
import { borrowing } from './borrowed.js';
import { refuseEventTriggers } from './event-triggers.js';
import { firstOf } from './ownership.js';
import type { Session } from './session.js';
import { runAll, transaction } from './session.js';

export interface TableChange {
  readonly oid: number;
  /** Schema and name, ready for SQL. */
  readonly table: string;
  readonly statement: string;
  readonly words: string;
}

/** Whoever comes after us queues behind us for as long: a pause that nobody notices. */
const LOCK_MS = 200;
/** An attempt without any success. The next one is the activity's. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 400;
/** On one connection, whose time is limited. */
const BATCH = 100;

/**
 * Does what `find` lists, until it lists nothing that can be done so. What the server refuses to the administrator is passed over: the
 * statements for a whole role, which ask for less, come to it. @returns what was done, in words.
 * @throws KeyturnError `table-in-use` (retryable) naming tables and who uses them; `event-trigger`; and as Server.
 */
export async function changeTables(
  server: Server,
  database: string,
  roles: readonly string[],
  find: (session: Session) => Promise<readonly TableChange[]>,
): Promise<string[]> {
  const done: string[] = [];
  const refused = new Set<string>();
  let busy = new Map<string, string>();
  let moved = performance.now();
  for (;;) {
    const before = done.length;
    let effect: Effect = 'none';
    const more = await server.asAdministrator(
      async (client) => {
        const listed = await transaction(client, 'read', async (session) => {
          await refuseEventTriggers(session);
          return find(session);
        });
        const todo = listed
          .filter(({ statement }) => !refused.has(statement))
          // Those that were in use come last, so that they keep nobody waiting.
          .sort((a, b) => Number(busy.has(a.statement)) - Number(busy.has(b.statement)));
        const found = new Map<string, string>();
        for (const change of todo.slice(0, BATCH)) {
          effect = done.length > 0 ? 'applied' : 'none';
          const outcome = await attempt(client, roles, change);
          if (outcome === 'done') done.push(change.words);
          else if (outcome === 'refused') refused.add(change.statement);
          else found.set(change.statement, `${change.table}, by ${outcome.by}`);
        }
        busy = found;
        return todo.length > BATCH;
      },
      { database, effect: () => effect },
    );
    if (busy.size === 0 && !more) return done;
    if (done.length > before) moved = performance.now();
    else if (busy.size > 0 && performance.now() - moved > PATIENCE_MS) throw inUse(database, [...busy.values()], done);
    if (busy.size > 0)
      await sleep(PAUSE_MS, undefined, { signal: server.signal }).catch(() => server.signal.throwIfAborted());
  }
}

async function attempt(
  client: pg.Client,
  roles: readonly string[],
  { oid, statement }: TableChange,
): Promise<'done' | 'refused' | { by: string }> {
  try {
    return await transaction(client, 'write', async (session) => {
      const by = await whoUses(client, oid);
      if (by !== null) return { by };
      await client.query(`SET LOCAL lock_timeout = ${LOCK_MS}`);
      await borrowing(session, roles, () => runAll(session, [statement]));
      return 'done';
    });
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    await client.query('ROLLBACK');
    if (error.code === '55P03')
      return { by: (await whoUses(client, oid)) ?? 'short transactions, one after the other' };
    if (error.code?.startsWith('42')) return 'refused';
    throw error;
  }
}

/** Whose transaction has held a lock on it for longer than we would wait. null: nobody's. */
async function whoUses(client: pg.Client, oid: number): Promise<string | null> {
  const { rows } = await client.query<{ who: string }>(
    `SELECT CASE WHEN l.pid IS NULL THEN 'a prepared transaction'
                 ELSE format('%s (process %s, %s)', coalesce(nullif(a.application_name, ''), a.backend_type, 'unnamed application'), l.pid,
                             coalesce(a.usename, 'no role')) END AS who
       FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.relation = $1::oid AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND coalesce(a.xact_start < clock_timestamp() - interval '${LOCK_MS} ms', true)
      ORDER BY a.xact_start NULLS FIRST LIMIT 1`,
    [oid],
  );
  return rows[0] ? oneLine(rows[0].who, 120) : null;
}

function inUse(database: string, busy: readonly string[], done: readonly string[]): KeyturnError {
  return new KeyturnError(
    'table-in-use',
    `database ${database}: in use for longer than is waited for: ${firstOf(busy)}`,
    {
      effect: done.length > 0 ? 'applied' : 'none',
      retryable: true,
      hint: 'it is tried again; where a transaction stays open, let its application end it, or pg_terminate_backend(PROCESS)',
    },
  );
}
