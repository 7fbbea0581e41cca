/** Who is connected as a role, on the primary and every replica, and how they are sent away (sequence in the runbooks 001 and 003). */
import type pg from 'pg';
import { countSessions, describeSessions, PREPARED, type RoleSessions } from '../../domain/adoption.js';
import { KeyturnError, type Effect } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { oneLine } from '../../processes/safe-text.js';
import { DatabaseError } from '../connection.js';
import { PRIMARY, type Server } from '../server.js';

/**
 * Ours is left out by its process, not by a name, which anybody can take. A parallel worker ends with its leader. Everything else
 * that runs as the role counts: pools, replication, scheduled jobs.
 */
const OF_ROLE = `usename = $1 AND pid <> pg_backend_pid() AND backend_type IS DISTINCT FROM 'parallel worker'`;
const ISO = (time: string): string => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/**
 * One look at every node. Without pg_read_all_stats, state and address are hidden and `since` is when the server started.
 * @throws KeyturnError as Server, also when one node of several cannot be reached: who is connected there is not known.
 */
export async function listSessions(server: Server, role: string): Promise<RoleSessions[]> {
  const all = await Promise.all(server.nodes.map((node) => sessionsOn(server, node, role, null)));
  return [...all.flat(), ...(await preparedBy(server, role))];
}

/**
 * Transactions that wait for COMMIT PREPARED: no session, and they outlive a restart. Only the role that prepared one may end it, or a
 * superuser; once the role is dropped nobody is that role.
 */
export async function preparedBy(server: Server, role: string): Promise<RoleSessions[]> {
  return server.asAdministrator(async (client) => {
    const { rows } = await client.query<{ gid: string; database: string; since: string }>(
      `SELECT gid, database, ${ISO('prepared')} AS since FROM pg_prepared_xacts WHERE owner = $1 ORDER BY 3, 1`,
      [role],
    );
    return rows.map(({ gid, database, since }) => ({
      ...{ node: PRIMARY, address: null, state: PREPARED, count: 1, since },
      // Chosen by the client, and up to 200 bytes long.
      application: oneLine(`transaction ${gid} in database ${database}`, 280),
    }));
  });
}

/** @throws KeyturnError `prepared-transactions` */
export function refusePrepared(role: string, prepared: readonly RoleSessions[], effect: Effect): void {
  if (prepared.length === 0) return;
  const said = describeSessions(prepared);
  throw new KeyturnError(
    'prepared-transactions',
    oneLine(
      `${role} has ${prepared.length} prepared transaction${prepared.length === 1 ? '' : 's'}: ${said.join('; ')}`,
    ),
    {
      effect,
      retryable: true,
      hint: "COMMIT PREPARED 'ID' or ROLLBACK PREPARED 'ID', in its database, as that role or a superuser: whoever prepared it knows which",
      diagnosis: said.slice(0, 100).join('\n'),
    },
  );
}

/**
 * The latest clock of all nodes, ISO 8601, for `startedBefore`: on a node whose clock is behind, it covers a few sessions more, which
 * come back. Under `same-role` take it after proveRefused: until a replica has replayed it, the old password opens sessions there.
 */
export async function serverTime(server: Server): Promise<string> {
  const times = await Promise.all(
    server.nodes.map((node) =>
      server.asAdministrator(
        async (client) => {
          const { rows } = await client.query<{ now: string }>(`SELECT ${ISO('clock_timestamp()')} AS now`);
          return rows[0]?.now ?? '';
        },
        { node },
      ),
    ),
  );
  return times.sort().at(-1) ?? '';
}

export interface Ending {
  /** ISO 8601 by the server's clock: spares who has connected since, with a new password for example. Default: nobody is spared. */
  readonly startedBefore?: string;
}

/** For one session to end: it may be in the middle of a large sort, or its client may not read. */
const WAIT_MS = 5_000;
const PATIENCE_MS = 20_000;

/**
 * Ends the role's sessions on every node, and looks again until none is left. A transaction that is open is rolled back.
 * Idempotent: with nobody there it does nothing. Take the right to log in first (or the password): who may log in comes back.
 * @throws KeyturnError `sessions-remain`, naming them; `prepared-transactions`; `administrator-lacks-rights`; otherwise as Server.
 */
export async function terminateSessions(
  server: Server,
  role: string,
  { startedBefore }: Ending = {},
): Promise<Evidence> {
  const before = startedBefore ?? null;
  const ended = await Promise.all(
    server.nodes.map(async (node) => [node, await endOn(server, node, role, before)] as const),
  );
  const left = (await Promise.all(server.nodes.map((node) => sessionsOn(server, node, role, before)))).flat();
  if (left.length > 0) {
    throw new KeyturnError(
      'sessions-remain',
      oneLine(`${sessionsOf(countSessions(left), role)} still there: ${describeSessions(left).join('; ')}`),
      {
        effect: 'applied',
        retryable: true,
        hint: 'whoever comes back at once may still log in: take that right first; who does not go is stuck on its server',
        diagnosis: describeSessions(left).slice(0, 100).join('\n'),
      },
    );
  }
  // They are data of the application: to commit or to roll back is for nobody here to decide.
  if (before === null) refusePrepared(role, await preparedBy(server, role), ended.length > 0 ? 'applied' : 'none');
  const total = ended.reduce((sum, [, count]) => sum + count, 0);
  const places = ended.map(([node, count]) => `${count} on ${node}`).join(', ');
  return {
    summary: oneLine(`${sessionsOf(total, role)} ended (${places}); none is left`),
    facts: { ended: total, ...Object.fromEntries(ended.map(([node, count]) => [`ended.${node}`, count])) },
  };
}

function sessionsOf(count: number, role: string): string {
  return `${count} session${count === 1 ? '' : 's'} of ${role}`;
}

async function endOn(server: Server, node: string, role: string, before: string | null): Promise<number> {
  let effect: Effect = 'none';
  const ended = new Set<number>();
  const deadline = performance.now() + PATIENCE_MS;
  while ((await sessionsOn(server, node, role, before)).length > 0 && performance.now() < deadline) {
    await server
      .asAdministrator(
        async (client) => {
          effect = 'unknown';
          // All are told at once; only then is one after the other waited for.
          const told = await client.query<{ pid: number; told: boolean }>(
            `SELECT pid, pg_terminate_backend(pid) AS told FROM pg_stat_activity
              WHERE ${OF_ROLE} AND ($2::timestamptz IS NULL OR backend_start < $2)`,
            [role, before],
          );
          for (const { pid, told: was } of told.rows) if (was) ended.add(pid);
          for (const { pid } of told.rows) await waitFor(client, pid, role, before);
          effect = ended.size > 0 ? 'applied' : 'none';
        },
        { node, effect: () => effect },
      )
      .catch((error: unknown) => {
        throw error instanceof DatabaseError && error.sqlState === '42501' ? lacksRights(node, error.effect) : error;
      });
  }
  return ended.size;
}

/** The process number alone is not enough: by now it may be somebody else's. */
async function waitFor(client: pg.Client, pid: number, role: string, before: string | null): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid, ${WAIT_MS}) FROM pg_stat_activity
      WHERE pid = $3 AND ${OF_ROLE} AND ($2::timestamptz IS NULL OR backend_start < $2)`,
    [role, before, pid],
  );
}

interface Row {
  readonly address: string | null;
  readonly application: string;
  readonly state: string | null;
  readonly count: number;
  readonly since: string;
  readonly hidden: boolean;
}

async function sessionsOn(server: Server, node: string, role: string, before: string | null): Promise<RoleSessions[]> {
  const rows = await server.asAdministrator(
    async (client) => {
      const result = await client.query<Row>(
        `SELECT host(client_addr) AS address,
                coalesce(nullif(application_name, ''), nullif(backend_type, 'client backend'), '') AS application,
                state, count(*)::int AS count,
                ${ISO('coalesce(min(backend_start), pg_postmaster_start_time())')} AS since,
                bool_or(backend_start IS NULL) AS hidden
           FROM pg_stat_activity
          WHERE ${OF_ROLE} AND ($2::timestamptz IS NULL OR backend_start < $2 OR backend_start IS NULL)
          GROUP BY 1, 2, 3 ORDER BY 5, 2, 1, 3`,
        [role, before],
      );
      return result.rows;
    },
    { node },
  );
  // Whom to spare cannot be told then.
  if (before !== null && rows.some(({ hidden }) => hidden)) throw lacksRights(node, 'none');
  return rows.map(({ address, application, state, count, since }) => ({
    node,
    address,
    // Chosen by the client, so it may hold anything.
    application: oneLine(application, 64),
    state,
    count,
    since,
  }));
}

function lacksRights(node: string, effect: Effect): KeyturnError {
  const where = node === PRIMARY ? 'the primary' : `node ${node}`;
  return new KeyturnError(
    'administrator-lacks-rights',
    `the administrator may not see or end all sessions on ${where}`,
    {
      effect,
      hint: 'GRANT pg_signal_backend, pg_read_all_stats TO the administrator; sessions of a superuser only a superuser ends',
    },
  );
}
