/** Who is still on the old role, and the end of their sessions. */
import { createHash } from 'node:crypto';
import { listSessions, terminateSessions } from '../../databases/access/sessions.js';
import { watchRejectedLogins } from '../../databases/access/rejected-logins.js';
import { passConsecutively } from '../../checks/consecutive.js';
import { describeSessions } from '../../domain/adoption.js';
import { milliseconds } from '../../domain/durations.js';
import type { Evidence } from '../../domain/evidence.js';
import type { PlannedCheck } from '../../domain/specs/check.js';
import { NotYet, type ActivityTools } from '../as-activity.js';
import { checkContext } from '../check-context.js';
import type { ActivityDeps } from '../deps.js';
import type { Adoption, LogPlaces, SwapHold } from '../swap-activities.js';
import { loginsOf, openServer } from './open-swap.js';

/** A board and a decision show so many; the rest is counted. */
const LINES = 20;

export async function findSessions(hold: SwapHold, deps: ActivityDeps, signal: AbortSignal): Promise<Adoption> {
  const server = await openServer(hold.swap, deps, signal);
  const { old } = await loginsOf(hold, deps);
  const sessions = await listSessions(server, old.user);
  const all = describeSessions(sessions);
  const lines = all.length > LINES ? [...all.slice(0, LINES), `and ${all.length - LINES} more kinds of session`] : all;
  const clients = new Set(
    sessions.map(({ node, address, application }) => JSON.stringify([node, address, application])),
  );
  const key = createHash('sha256')
    .update([...clients].sort().join('\n'))
    .digest('hex')
    .slice(0, 32);
  return { sessions: sessions.slice(0, LINES), lines, key };
}

/** @throws NotYet while the same clients are there: Temporal asks again, and shows the message meanwhile. */
export async function awaitAdoption(
  hold: SwapHold & { known: string | null; quiet: number },
  deps: ActivityDeps,
  { signal, sinceFirstAttempt }: ActivityTools,
): Promise<Adoption> {
  const { known, quiet, swap } = hold;
  const found = await findSessions(hold, deps, signal);
  if (known === null || (found.key !== known && sinceFirstAttempt >= quiet)) return found;
  const who = found.lines.length === 0 ? 'nobody is on the old role' : `on the old role: ${found.lines.join('; ')}`;
  throw new NotYet(who, milliseconds(swap.watchEvery));
}

/** Under `same-role` only those of before the change: the new password's sessions have the same name. */
export async function terminateOldSessions(
  hold: SwapHold & { startedBefore?: string | null },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence> {
  const server = await openServer(hold.swap, deps, signal);
  const { old } = await loginsOf(hold, deps);
  const { startedBefore } = hold;
  if (hold.swap.strategy === 'same-role' && !startedBefore)
    return { summary: 'no password was changed: nothing to end' };
  return await terminateSessions(server, old.user, startedBefore ? { startedBefore } : {});
}

/**
 * Who was refused since the old role lost its log-in, read from the servers' logs; and whether the services are well without it.
 * Whoever needs the old role for new connections is found by now, one way or the other.
 */
export async function findRejected(
  { since, health, ...hold }: SwapHold & { since: LogPlaces; health: readonly PlannedCheck[] },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence & { rejected: number; from: readonly string[] }> {
  const server = await openServer(hold.swap, deps, signal);
  const { old } = await loginsOf(hold, deps);
  const resume = { elapsed: 0, rejected: 0, from: [], places: since };
  const { rejected, from, facts } = await watchRejectedLogins(server, old.user, { milliseconds: 0, signal, resume });
  const context = checkContext(deps, signal);
  for (const check of health) await passConsecutively(check, context);
  const readable = facts?.['readable'] === true;
  const who = from.length > 0 ? ` from ${from.join(', ')}` : '';
  const counted = readable
    ? `${rejected} rejected log-ins of ${old.user}${who}`
    : "rejected log-ins cannot be counted: the servers' logs are not readable here";
  const well = health.length > 0 ? `; ${health.map(({ name }) => name).join(', ')} well without it` : '';
  return { summary: `${counted}${well}`, facts: { rejected, readable, from: from.join(', ') || null }, rejected, from };
}
