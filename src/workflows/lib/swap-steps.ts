/** Steps that both ways of swapping a database credential share. */
import type { SwapHold } from '../../activities/swap-activities.js';
import type { PlannedSwap } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import { effects, persistentEffects } from './activities.js';
import { cameTo, type Arrangement } from '../../domain/slot.js';
import { seeReady } from './ready.js';
import { holdOf, stagingOf, type RollOutOptions } from './rollout.js';
import { titlesOf } from '../../runbooks/database-swap/steps.js';
import type { Run } from './run.js';
import type { Steering } from './steering.js';
import type { Follower } from './follower.js';
import { waitForWindow } from './window.js';

/** Who else has a say in a run: people who steer its waits, and the runs of other environments. */
export interface Company {
  readonly steering: Steering;
  readonly follower: Follower;
}

export interface Begun {
  readonly hold: SwapHold;
  /** This run goes on from where another one was ended: its services may be on the new credential, whatever the store shows. */
  readonly takenOver: boolean;
  /** How far an earlier run's old role is gone, if this run goes on from where that one was terminated. */
  readonly oldRole: 'usable' | 'shut out' | 'gone';
}

/**
 * Readiness, the gate before an environment, and the new credential in the store.
 *
 * A terminated run may have left a staged credential, a new role, or services on it. This run goes on from there: it takes
 * over that run's hold, and since every step first asks whether it is already done, it finds what exists and does the rest.
 */
export async function beginSwap(run: Run<'settle' | 'approve-wave' | 'stage'>, swap: PlannedSwap): Promise<Begun> {
  const { plan, board } = run;
  const { ref, taskQueue } = plan;
  const ready = await seeReady(run);
  const left = ready.leftBehind;
  const hold: SwapHold = { ...holdOf(plan), swap, ...(left ? { rotation: left.rotation } : {}) };
  if (left) {
    run.earlier.isGoneOnWith(left);
    if (left.newRole !== undefined)
      for (const [key, title] of Object.entries(titlesOf(left.newRole))) board.rename(key, title);
    await run.step('settle', () =>
      Promise.resolve({ summary: `of run ${left.rotation} ${cameTo(left)}: its credential is used on` }),
    );
  }
  await run.gate('approve-wave', `Begin to swap the credential of ${formatRef(ref)} (${plan.method}, ${plan.reason})?`);
  await run.step(
    'stage',
    () =>
      effects('Stage a new credential', taskQueue).stageCredential({
        ...hold,
        ...stagingOf(plan),
      }),
    { undo: () => persistentEffects('Undo: discard the staged credential', taskQueue).discardSecret(hold) },
  );
  return { hold, takenOver: left !== null, oldRole: left?.oldRole ?? 'usable' };
}

/** How the services are switched to a new role, and back: the old one is seen to be let in before anything is put back. */
export function switchToNewRole(run: Run, hold: SwapHold): RollOutOptions & { readonly from: Arrangement } {
  const restore = () => persistentEffects('Undo: the old role is let in', run.plan.taskQueue).restoreOldRole(hold);
  return { from: 'old only', hold, beforeUndo: restore };
}

/** By leave, and in the window. */
export async function mayChange(run: Run<'approve-promote' | 'window'>): Promise<void> {
  await run.gate('approve-promote', `Use the new credential of ${formatRef(run.plan.ref)}?`);
  await waitForWindow(run, 'window');
}
