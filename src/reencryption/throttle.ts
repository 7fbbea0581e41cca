/**
 * Holds a sweep back while the database has other work to do: replicas behind, many sessions at work, or simply a share of the time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import type { Throttle as ThrottleSpec } from '../domain/specs/encryption.js';

export interface Throttle {
  /**
   * Waits as long as it must; asks the server at most once a second. @param worked milliseconds that the last page took.
   * @throws the signal's reason when it aborts.
   */
  hold(client: pg.Client, worked: number): Promise<void>;
}

export interface ThrottleOptions {
  readonly spec: ThrottleSpec;
  readonly signal: AbortSignal;
  /** Told when a wait begins and why (`replica standby1 is 14s behind`), and null when it is over. */
  readonly onHeld?: (why: string | null) => void;
}

/** How often the server is asked; lag moves by the second. */
const LOOK_EVERY_MS = 1_000;
/** A rest shorter than this is saved up. */
const SHORTEST_REST_MS = 5;

interface Standing {
  readonly replica: string;
  readonly replayed: string;
}

interface Load {
  readonly written: string | null;
  readonly active: number;
  readonly standings: readonly Standing[];
}

/** A walsender that may not be looked at, or has not begun to replay, says nothing. */
const LOAD = `
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn()::text END AS written,
       (SELECT count(*)::int FROM pg_stat_activity
         WHERE state = 'active' AND backend_type = 'client backend' AND datname = current_database()
           AND application_name <> 'keyturn') AS active,
       coalesce((SELECT json_agg(json_build_object('replica', coalesce(nullif(application_name, ''), pid::text),
                                                   'replayed', replay_lsn::text))
                   FROM pg_stat_replication WHERE replay_lsn IS NOT NULL AND state IN ('streaming', 'catchup')), '[]'::json) AS standings`;

/**
 * Lag is taken as the age of the newest thing that a replica has not replayed, by this process's clock: `replay_lag` of the server
 * stands still when a replica does.
 */
export function createThrottle({ spec, signal, onHeld = () => undefined }: ThrottleOptions): Throttle {
  const maxLag = milliseconds(spec.maxLag);
  const written: { readonly at: number; readonly position: bigint }[] = [];
  let lookedAt = -Infinity;
  let owed = 0;

  async function reason(client: pg.Client): Promise<string | null> {
    lookedAt = performance.now();
    const { rows } = await client.query<Load>(LOAD);
    const [load] = rows;
    if (!load) return null;
    if (load.active > spec.maxActive)
      return `${load.active} sessions are at work, ${spec.maxActive} at most are wished for`;
    if (load.written !== null) written.push({ at: lookedAt, position: positionOf(load.written) });
    const slowest = load.standings
      .map(({ replica, replayed }) => ({ replica, replayed: positionOf(replayed) }))
      .sort((one, other) => (one.replayed < other.replayed ? -1 : 1))[0];
    if (!slowest) {
      written.length = 0;
      return null;
    }
    // What the slowest has replayed is of no interest any more.
    while (written[0] && written[0].position <= slowest.replayed) written.shift();
    const [waiting] = written;
    const lag = waiting ? lookedAt - waiting.at : 0;
    return lag > maxLag ? `replica ${slowest.replica} is ${formatMilliseconds(lag)} behind` : null;
  }

  return {
    async hold(client, worked) {
      signal.throwIfAborted();
      owed += (worked * spec.rest) / (1 - spec.rest);
      if (owed >= SHORTEST_REST_MS) {
        const started = performance.now();
        await sleep(owed, undefined, { signal });
        owed = Math.max(0, owed - (performance.now() - started));
      }
      if (performance.now() - lookedAt < LOOK_EVERY_MS) return;
      let held = false;
      for (let why = await reason(client); why !== null; why = await reason(client)) {
        held = true;
        onHeld(why);
        await sleep(LOOK_EVERY_MS, undefined, { signal });
      }
      if (held) onHeld(null);
    },
  };
}

/** `16/B374D848` as a number of bytes. */
function positionOf(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
