/** Making running services use a value: show the arrangement in the store, deploy every service, see that each is healthy. */
import type { Evidence } from '../../domain/evidence.js';
import { filesOf } from '../../domain/place.js';
import type { RotationPlan } from '../../domain/plan.js';
import type { Arrangement } from '../../domain/slot.js';
import type { Hold, Staging } from '../../activities/rotation-activities.js';
import { effects, persistentEffects } from './activities.js';
import { codeOf, effectOf } from './failures.js';
import type { Run } from './run.js';
import type { Going } from './service-lock.js';
import { holdWindowAndServices } from './window.js';

export function holdOf(plan: RotationPlan): Hold {
  const { slot, requestId: rotation, fingerprintKey } = plan;
  return { slot, rotation, ...(fingerprintKey === undefined ? {} : { fingerprintKey }) };
}

/** What its new value is made from. */
export function stagingOf({ ref, generator, minimumLength, reason }: RotationPlan): Staging {
  return { ref, generator, minimumLength, reason };
}

export interface RollOutOptions {
  /** What its undo puts back; left out after the point of no return. */
  readonly from?: Arrangement;
  /** It need not begin while the maintenance window is open: the services stand still already. */
  readonly atAnyTime?: boolean;
  /** The lock on the services is kept: what follows at once deploys them again, or looks whether they are well. */
  readonly keepsLock?: boolean;
  /** Its undo is registered already, since an earlier run may have done the step: undoesRollOut. */
  readonly undoKnown?: boolean;
  /** Default: this run's own. */
  readonly hold?: Hold;
  /** Between store and deploy, forward and back: what the service needs elsewhere for the value to be right. */
  readonly beforeDeploy?: (to: 'new' | 'old') => Promise<unknown>;
  /** Before anything is put back: whether the old value can be right again, made so where it can. */
  readonly beforeUndo?: () => Promise<unknown>;
}

interface DeployOptions {
  readonly services?: RotationPlan['services'];
  readonly changed?: readonly string[];
}

/** The undo of a roll-out that an earlier run did: registered before this run comes to the step itself. */
export function undoesRollOut<K extends string>(
  run: Run<K>,
  key: K,
  options: RollOutOptions & { readonly from: Arrangement },
): void {
  run.undoes(key, () => takeBack(run, key, options, true));
}

/** One step: `to` in the store, deployed and healthy. One that can be undone begins while the maintenance window is open. */
export async function rollOut<K extends string>(
  run: Run<K>,
  key: K,
  to: Arrangement,
  options: RollOutOptions = {},
): Promise<void> {
  if (!run.has(key)) return;
  const { plan } = run;
  const { from, beforeDeploy } = options;
  const { slot, rotation } = options.hold ?? holdOf(plan);
  const hold = { ...holdOf(plan), slot, rotation };
  let begun = true;
  const forward = async (): Promise<Evidence> => {
    try {
      const call = from ? effects : persistentEffects;
      await call(`Store: ${to}`, plan.taskQueue).arrangeSecret({ ...hold, arrangement: to });
    } catch (error) {
      // The last attempt was refused before it wrote anything; an earlier one, whose answer was lost, may have written.
      begun = effectOf(error) !== 'none';
      if (begun) run.showsNew();
      throw error;
    }
    run.showsNew();
    await beforeDeploy?.('new');
    return await deployAll(run, 'forward', { changed: filesOf(slot) });
  };
  const undo = (): Promise<Evidence> => takeBack(run, key, { ...options, from: from ?? 'old only' }, begun);
  if (from && !options.atAnyTime) await holdWindowAndServices(run, key);
  else await run.services.hold(key, 'forward');
  await run.step(key, forward, from && !options.undoKnown ? { undo } : {});
  if (!options.keepsLock) await run.services.release();
}

/** @param begun false: the step was refused before it wrote anything, so there may be nothing to take back. */
async function takeBack(
  run: Run,
  key: string,
  options: RollOutOptions & { readonly from: Arrangement },
  begun: boolean,
): Promise<Evidence> {
  const { plan } = run;
  const { from, beforeDeploy, beforeUndo } = options;
  const { slot, rotation } = options.hold ?? holdOf(plan);
  const hold = { ...holdOf(plan), slot, rotation };
  let arranged: Evidence;
  await run.services.hold(key, 'back');
  await beforeUndo?.();
  try {
    arranged = await persistentEffects(`Undo: ${from}`, plan.taskQueue).arrangeSecret({ ...hold, arrangement: from });
  } catch (error) {
    // Refused forward and back: the store shows neither value but a person's edit, which is theirs to keep.
    if (!begun && codeOf(error) === 'changed-meanwhile' && effectOf(error) === 'none')
      return { summary: "the store shows somebody's own edit: left alone" };
    throw error;
  }
  if (!begun && arranged.facts?.['changed'] === false) return { summary: 'the store had not been changed' };
  await beforeDeploy?.('old');
  const evidence = await deployAll(run, 'back');
  return { summary: `the old value serves again; ${evidence.summary}` };
}

/**
 * One service after the other: a value that breaks the first must not reach the second. The lock on them is held by now.
 * @param changed the files that it brings into service; none on the way back (activities/services.ts).
 */
export async function deployAll(
  run: Run,
  going: Going,
  { services = run.plan.services, changed = [] }: DeployOptions = {},
): Promise<Evidence> {
  const call = going === 'forward' ? effects : persistentEffects;
  const { taskQueue } = run.plan;
  const seen: string[] = [];
  for (const service of services) {
    if (going === 'forward') run.services.stillHeld();
    const evidence = await call(`Deploy ${service.name} and see it healthy`, taskQueue).deployService(service, changed);
    seen.push(evidence.summary);
  }
  return { summary: seen.join('; ') };
}
