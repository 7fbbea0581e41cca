/** Making running services use a value: show the arrangement in the store, deploy every service, see that each is healthy. */
import type { Evidence } from '../../domain/evidence.js';
import { filesOf } from '../../domain/place.js';
import type { RotationPlan } from '../../domain/plan.js';
import type { Arrangement } from '../../domain/slot.js';
import type { Hold } from '../../activities/rotation-activities.js';
import { effects, persistentEffects } from './activities.js';
import { codeOf, effectOf } from './failures.js';
import type { Run } from './run.js';
import { holdWindow } from './window.js';

export function holdOf(plan: RotationPlan): Hold {
  return { slot: plan.slot, rotation: plan.requestId };
}

export interface RollOutOptions {
  /** What its undo puts back; left out after the point of no return. */
  readonly from?: Arrangement;
  /** It need not begin while the maintenance window is open: the services stand still already. */
  readonly atAnyTime?: boolean;
  /** Its undo is registered already, since an earlier run may have done the step: undoesRollOut. */
  readonly undoKnown?: boolean;
  /** Default: this run's own. */
  readonly hold?: Hold;
  /** Between store and deploy, forward and back: what the service needs elsewhere for the value to be right. */
  readonly beforeDeploy?: (to: 'new' | 'old') => Promise<unknown>;
  /** Before anything is put back: whether the old value can be right again, made so where it can. */
  readonly beforeUndo?: () => Promise<unknown>;
}

/** The undo of a roll-out that an earlier run did: registered before this run comes to the step itself. */
export function undoesRollOut(run: Run, key: string, options: RollOutOptions & { readonly from: Arrangement }): void {
  run.undoes(key, () => takeBack(run.plan, options, true));
}

/** One step: `to` in the store, deployed and healthy. One that can be undone begins while the maintenance window is open. */
export async function rollOut(run: Run, key: string, to: Arrangement, options: RollOutOptions = {}): Promise<void> {
  const { plan } = run;
  const { from, beforeDeploy } = options;
  const { slot, rotation } = options.hold ?? holdOf(plan);
  const hold = { slot, rotation };
  let begun = true;
  const forward = async (): Promise<Evidence> => {
    try {
      const call = from ? effects : persistentEffects;
      await call(`Store: ${to}`, plan.taskQueue).arrangeSecret({ ...hold, arrangement: to });
    } catch (error) {
      // The last attempt was refused before it wrote anything; an earlier one, whose answer was lost, may have written.
      begun = effectOf(error) !== 'none';
      throw error;
    }
    await beforeDeploy?.('new');
    return await deployAll(plan, effects, filesOf(slot));
  };
  const undo = (): Promise<Evidence> => takeBack(plan, { ...options, from: from ?? 'old only' }, begun);
  if (from && !options.atAnyTime) await holdWindow(run, key);
  await run.step(key, forward, from && !options.undoKnown ? { undo } : {});
}

/** @param begun false: the step was refused before it wrote anything, so there may be nothing to take back. */
async function takeBack(
  plan: RotationPlan,
  options: RollOutOptions & { readonly from: Arrangement },
  begun: boolean,
): Promise<Evidence> {
  const { from, beforeDeploy, beforeUndo } = options;
  const { slot, rotation } = options.hold ?? holdOf(plan);
  const hold = { slot, rotation };
  let arranged: Evidence;
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
  const evidence = await deployAll(plan, persistentEffects);
  return { summary: `the old value serves again; ${evidence.summary}` };
}

/**
 * One service after the other: a value that breaks the first must not reach the second.
 * @param changed the files that it brings into service; none on the way back (activities/services.ts).
 */
export async function deployAll(
  plan: RotationPlan,
  call: typeof effects,
  changed: readonly string[] = [],
): Promise<Evidence> {
  const seen: string[] = [];
  for (const service of plan.services) {
    const evidence = await call(`Deploy ${service.name} and see it healthy`, plan.taskQueue).deployService(
      service,
      changed,
    );
    seen.push(evidence.summary);
  }
  return { summary: seen.join('; ') };
}
