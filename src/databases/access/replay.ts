/** What a replica does not know yet: it follows the primary's log, milliseconds or hours behind. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../connection.js';
import { PRIMARY, type Server } from '../server.js';

/** A replica that is well is behind by milliseconds; one that is 30 s behind is a finding for a person. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;

export interface Replay {
  /** Everything up to the position has been replayed. */
  readonly done: boolean;
  /** `1408 bytes and 12 s behind, replay is paused`. */
  readonly lag: string;
}

/** Where the primary's log ends now: a replica that has replayed up to here knows all that was done before. */
export async function logPosition(server: Server): Promise<string> {
  return server.asAdministrator(async (client) => {
    // The insert position, not the flushed one: with synchronous_commit = off a commit is answered before it is flushed.
    const { rows } = await client.query<{ at: string }>('SELECT pg_current_wal_insert_lsn()::text AS at');
    return rows[0]?.at ?? '0/0';
  });
}

/**
 * Right after a switch of log files the insert position stands behind the header of a page that holds no record yet, and a replica
 * stays before that header until something is written. No record is as short as a header (24 or 40 bytes).
 */
const ONLY_A_HEADER =
  "missing <= 40 AND mod(pg_wal_lsn_diff(replayed, '0/0'), current_setting('wal_block_size')::int) = 0";

/** @throws KeyturnError as Server. A node that is not in recovery is never behind. */
export async function replayOn(server: Server, node: string, position: string): Promise<Replay> {
  return server.asAdministrator(
    async (client) => {
      const { rows } = await client.query<{ bytes: string; seconds: number | null; state: string }>(
        `SELECT CASE WHEN ${ONLY_A_HEADER} THEN '0' ELSE missing::text END AS bytes,
                extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::int AS seconds,
                CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() ELSE 'primary' END AS state
           FROM (SELECT coalesce(pg_last_wal_replay_lsn(), '0/0') AS replayed) AS here,
                LATERAL (SELECT greatest(pg_wal_lsn_diff($1::pg_lsn, replayed), 0) AS missing) AS gap`,
        [position],
      );
      const { bytes = '0', seconds = null, state = 'primary' } = rows[0] ?? {};
      const words = [
        `${bytes} bytes behind`,
        // Time since the last replayed commit: says nothing about a server where nothing happens, so only with bytes missing.
        seconds !== null && `last commit replayed ${seconds} s ago`,
        state !== 'primary' && state !== 'not paused' && 'replay is paused',
      ].filter((word) => typeof word === 'string');
      return { done: state === 'primary' || bytes === '0', lag: words.join(', ') };
    },
    { node },
  );
}

/** What was answered, and how far behind its node still was; `lag` null: it had replayed everything. */
export interface Answer<T> {
  readonly value: T;
  readonly lag: string | null;
}

/**
 * Asks until the answer is good, or until it comes from a node that has replayed up to `position`, or 30 s are over. The primary
 * is asked once.
 */
export async function askOnceReplayed<T>(
  server: Server,
  node: string,
  position: string,
  ask: () => Promise<T>,
  isGood: (answer: T) => boolean,
): Promise<Answer<T>> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let known = node === PRIMARY; ;) {
    const value = await ask();
    if (known || isGood(value)) return { value, lag: null };
    const { done, lag } = await replayOn(server, node, position);
    if (!done && performance.now() >= deadline) return { value, lag };
    // Replayed between the answer and this look: the next answer is the one that counts.
    known = done;
    if (!done) await pause(server.signal);
  }
}

/** Not let in, and by the server's own decision: user or password (28P01, 28000), CONNECT (42501), no such database yet (3D000). */
export function isRefusal(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && ['28P01', '28000', '42501', '3D000'].includes(error.sqlState);
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
}
