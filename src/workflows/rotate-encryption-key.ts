/**
 * `rotateEncryptionKey`: every row from the old encryption key to a new one, and the old key destroyed once no row needs it.
 * Sources: documents 004 (maintenance window, one transaction, store, restart, health), 000 (every provider tested after it),
 * 001 (old data stays readable; online: reencrypt-online.ts). runbooks/encryption/steps.ts has these steps.
 */
import type { Evidence } from '../domain/evidence.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef } from '../domain/refs.js';
import type { RotationReport } from '../domain/report.js';
import type { KeyOf } from '../domain/steps.js';
import type { RolloutReport } from '../domain/status.js';
import { ATOMIC_STEPS, isEncryption, ONLINE_STEPS, type EncryptionPlan } from '../runbooks/encryption/steps.js';
import { longEffects, persistentLongEffects } from './lib/activities.js';
import { answer } from './lib/failures.js';
import type { Gatekeeper } from './lib/gatekeeper.js';
import { beginKey, endWithOldKey } from './lib/key-steps.js';
import { oneAfterTheOther } from './lib/one-after-the-other.js';
import { rollOut, undoesRollOut } from './lib/rollout.js';
import { Run } from './lib/run.js';
import { StandingServices } from './lib/standing-services.js';
import { underItsLock } from './lib/under-its-lock.js';
import { verifyAndWatch } from './lib/verification.js';
import { holdWindowAndServices, waitForWindow } from './lib/window.js';
import { reencryptOnline } from './reencrypt-online.js';

export async function rotateEncryptionKey(input: unknown): Promise<RotationReport | RolloutReport> {
  return await underItsLock(input, carryOut, oneAfterTheOther);
}

async function carryOut(plan: RotationPlan, gates: Gatekeeper): Promise<RotationReport> {
  if (!isEncryption(plan))
    throw answer('no-runbook', `${formatRef(plan.ref)} is no encryption key: start the runbook of kind ${plan.kind}`);
  if (plan.encryption.mode === 'atomic') {
    const run = Run.of(plan, gates, ATOMIC_STEPS);
    return await run.carryOut(() => inOneTransaction(run, plan));
  }
  const run = Run.of(plan, gates, ONLINE_STEPS);
  return await run.carryOut(() => reencryptOnline(run, plan));
}

async function inOneTransaction(run: Run<KeyOf<typeof ATOMIC_STEPS>>, plan: EncryptionPlan): Promise<void> {
  const { taskQueue, encryption } = plan;
  const { hold, left, key } = await beginKey(run, encryption);
  const services = new StandingServices(run);
  const toNew = { ...hold, direction: 'to the new key' } as const;
  const backToOld = { ...hold, direction: 'back to the old key' } as const;
  let back: Evidence | null = null;
  // Once: it holds the tables against writers, and after the undo of the switch the services write again.
  const rowsBack = async (): Promise<Evidence> =>
    (back ??= await persistentLongEffects('Undo: rows back to the old key', taskQueue).reencryptAtomically(backToOld));
  // A terminated run's services are on the new key: rows are not taken back without them, wherever this run fails.
  const switched = left?.startsWith('new') ?? false;
  const switching = {
    from: 'old only',
    hold,
    undoKnown: switched,
    // Not held for the window: the services stand still.
    atAnyTime: true,
    keepsLock: true,
    beforeUndo: async () => {
      await services.stop('back');
      await rowsBack();
    },
    beforeDeploy: () => {
      services.runAgain();
      return Promise.resolve();
    },
  } as const;
  if (switched) undoesRollOut(run, 'switch', switching);

  await waitForWindow(run, 'window');
  // From here to the start: nobody else may start them on the old key in between.
  await holdWindowAndServices(run, 'stop');
  await run.step('stop', () => services.stop('forward'), switched ? {} : { undo: () => services.start() });
  key.used = true;
  // In the transaction every row is read again under the new key alone. No row is under a key that no store holds: it is staged.
  await run.step(
    'reencrypt',
    () => longEffects('Re-encrypt every row', taskQueue).reencryptAtomically(toNew),
    switched ? {} : { undo: rowsBack },
  );
  await rollOut(run, 'switch', 'new only', switching);
  await verifyAndWatch(run);
  await run.gate('approve-retire', `Destroy the old key of ${formatRef(plan.ref)}, for good?`);
  await endWithOldKey(run, hold);
}
