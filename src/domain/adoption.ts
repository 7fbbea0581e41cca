/** Who is connected as a role: what says whether everybody has left the old one. */

/** Sessions that look alike, counted. */
export interface RoleSessions {
  readonly node: string;
  /** null: a local socket, or hidden from an administrator without pg_read_all_stats. */
  readonly address: string | null;
  readonly application: string;
  /** pg_stat_activity.state: `active`, `idle`, `idle in transaction` …, or PREPARED; null: hidden. */
  readonly state: string | null;
  readonly count: number;
  /** ISO 8601 by the server's clock: since when the oldest of them is connected. */
  readonly since: string;
}

/** No session but a transaction that one has prepared, and that waits for its end. */
export const PREPARED = 'prepared';

export function countSessions(sessions: readonly RoleSessions[]): number {
  return sessions.reduce((sum, { count }) => sum + count, 0);
}

/** `2 × messaging-worker from 10.0.0.5 on primary (idle in transaction, since 2026-…)`. */
export function describeSessions(sessions: readonly RoleSessions[]): string[] {
  return sessions.map(({ node, address, application, state, count, since }) => {
    if (state === PREPARED) return `prepared ${application} on ${node} (since ${since})`;
    const who = application === '' ? 'unnamed application' : application;
    return `${count} × ${who} from ${address ?? 'a local socket'} on ${node} (${state ?? 'state hidden'}, since ${since})`;
  });
}
