/** Who has the services that a run wants to deploy, for as long as it is not its turn. */
import { deployedThing } from '../deployers/deployed-thing.js';
import type { PlannedService } from '../domain/plan.js';
import { waitsSince, type LockRecord } from '../domain/service-lock.js';
import { NotYet, type ActivityTools } from './as-activity.js';
import type { ActivityDeps } from './deps.js';
import type { AwaitServices, HeldService, WantedServices } from './rotation-activities.js';

const LOOK_EVERY_MS = 1_000;
/** Whoever comes first but does not take what is free (its worker is gone, say) holds up nobody for longer. */
const GIVES_WAY_MS = 10_000;
/**
 * Who waits for several services cannot take one while another is held, and holds nobody up at first. Once it has waited so long, what
 * it needs is kept free for it, for a time: others would have them in turn, and it never all of them.
 */
const RESERVES_AFTER_MS = 60_000;
const RESERVED_MS = 600_000;

/** In one order, so that two runs never wait for each other. */
export async function thingsOf(services: readonly PlannedService[]): Promise<string[]> {
  const things = await Promise.all(services.map(({ deploy }) => deployedThing(deploy)));
  return [...new Set(things)].sort();
}

/**
 * For a look at services that says nothing while somebody else stops or deploys them. @param known `mark` of a look before: whoever has
 * begun since is found even if it has ended.
 * @returns `by`: null when nobody does. A lock that outlived its holder is nobody's.
 */
export async function deployedByAnother(
  things: readonly string[],
  workflowId: string,
  { serviceLocks, findHolder }: Pick<ActivityDeps, 'serviceLocks' | 'findHolder'>,
  known?: string,
): Promise<{ by: string | null; mark: string }> {
  const latest = await Promise.all(things.map((thing) => serviceLocks.latest(thing)));
  const others = latest.filter((lock) => lock !== null && lock.holder.workflowId !== workflowId);
  const mark = others.map((lock) => lock?.runId).join(' ');
  for (const lock of others)
    if (lock?.held === true && (await findHolder(lock.holder.workflowId)) !== null)
      return { by: lock.holder.ref, mark };
  const since = known === undefined ? undefined : others.find((lock) => lock && !known.includes(lock.runId));
  return { by: since?.holder.ref ?? null, mark };
}

interface Saved {
  /** Milliseconds after the first attempt; null: somebody has it. */
  readonly freeSince: number | null;
}

/** For one who has not waited: what is free may be somebody else's turn. */
export async function findAhead(
  wanted: WantedServices,
  deps: Pick<ActivityDeps, 'serviceLocks'>,
): Promise<{ ahead: string | null }> {
  return { ahead: (await firstAhead(wanted, deps))?.workflowId ?? null };
}

/**
 * @returns who holds one of them, when that is not who was `known`; null: they are free, and it is this run's turn.
 * @throws NotYet until then: Temporal asks again, and shows the message meanwhile.
 */
export async function awaitServices(
  { things, workflowId, turn, known, tell }: AwaitServices,
  deps: Pick<ActivityDeps, 'serviceLocks' | 'findHolder'>,
  { save, saved, sinceFirstAttempt }: Pick<ActivityTools, 'save' | 'saved' | 'sinceFirstAttempt'>,
): Promise<{ heldBy: HeldService | null }> {
  const lock = await firstHeld(things, workflowId, deps);
  if (lock) {
    const { ref } = lock.holder;
    if (tell && lock.runId !== known)
      return {
        heldBy: { thing: lock.thing, ref, workflowId: lock.holder.workflowId, since: lock.since, key: lock.runId },
      };
    save({ freeSince: null } satisfies Saved);
    throw new NotYet(`held by ${ref} since ${lock.since}`, LOOK_EVERY_MS);
  }
  const freeSince = (saved as Saved | undefined)?.freeSince ?? sinceFirstAttempt;
  const ahead = await firstAhead({ things, workflowId, turn }, deps);
  if (!ahead || sinceFirstAttempt - freeSince >= ahead.givesWay) return { heldBy: null };
  save({ freeSince } satisfies Saved);
  throw new NotYet(`free, and it is the turn of ${ahead.workflowId}`, LOOK_EVERY_MS);
}

async function firstAhead(
  { things, workflowId, turn }: WantedServices,
  { serviceLocks }: Pick<ActivityDeps, 'serviceLocks'>,
): Promise<{ workflowId: string; givesWay: number } | null> {
  const ahead = (await serviceLocks.waiting(things))
    .filter((other) => other.workflowId !== workflowId && other.turn < turn)
    .sort((one, other) => (one.turn < other.turn ? -1 : 1));
  for (const other of ahead) {
    const locks = await Promise.all(other.things.map((thing) => serviceLocks.latest(thing)));
    if (locks.every((lock) => lock?.held !== true)) return { workflowId: other.workflowId, givesWay: GIVES_WAY_MS };
    if (Date.now() - waitsSince(other.turn).getTime() >= RESERVES_AFTER_MS)
      return { workflowId: other.workflowId, givesWay: RESERVED_MS };
  }
  return null;
}

/** A lock that outlived its holder (which was reset, and then ended) is freed on the way; so is one of this run before its reset. */
async function firstHeld(
  things: readonly string[],
  workflowId: string,
  { serviceLocks, findHolder }: Pick<ActivityDeps, 'serviceLocks' | 'findHolder'>,
): Promise<LockRecord | null> {
  for (const thing of things) {
    const lock = await serviceLocks.latest(thing);
    if (!lock?.held) continue;
    if (lock.holder.workflowId === workflowId)
      await serviceLocks.free(lock, 'the run that held it was reset, and takes it anew');
    else if ((await findHolder(lock.holder.workflowId)) === null)
      await serviceLocks.free(lock, 'the run that held it has ended');
    else return lock;
  }
  return null;
}
