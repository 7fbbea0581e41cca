/**
 * `rotateEncryptionKey` in the mode `online` (document 001: "maintain backward compatibility", "gradual migration"): the application
 * has both keys while the rows are re-encrypted batch by batch, and nothing is stopped.
 *
 * All writers are on the new key before the first row is touched; so what is found under the old one afterwards grows less with each
 * sweep, and a sweep that finds none means that nobody writes with it.
 */
import type { EncryptionHold } from '../activities/encryption-activities.js';
import { formatRef } from '../domain/refs.js';
import type { KeyOf } from '../domain/steps.js';
import type { EncryptionPlan, ONLINE_STEPS } from '../runbooks/encryption/steps.js';
import { longEffects, persistentEffects } from './lib/activities.js';
import { answer } from './lib/failures.js';
import { beginKey, endWithOldKey } from './lib/key-steps.js';
import { deployAll, rollOut, undoesRollOut } from './lib/rollout.js';
import type { Run } from './lib/run.js';
import { sweepUntilDone } from './lib/sweeps.js';
import { verifyAndWatch } from './lib/verification.js';
import { waitForWindow } from './lib/window.js';

/** A writer that keeps the old key, met by reading everything, and again. */
const READINGS = 5;

type OnlineRun = Run<KeyOf<typeof ONLINE_STEPS>>;

export async function reencryptOnline(run: OnlineRun, plan: EncryptionPlan): Promise<void> {
  const { hold, left, key } = await beginKey(run, plan.encryption);
  await waitForWindow(run, 'window');

  const accept = { from: 'old only', hold } as const;
  const toOld = { direction: 'back to the old key', unreadable: 'tell', writers: 'refuse' } as const;
  const rowsBack = (step: 'stage' | 'reencrypt') => sweepUntilDone(run, step, hold, toOld);
  // Last of the way back, when the services have the old key alone: what somebody wrote under the new one until then.
  run.undoes('stage', async () => (key.used ? await rowsBack('stage') : { summary: 'no row was under the new key' }));
  // A terminated run's services write under the new key already: they are not told to stop.
  if (left?.startsWith('new')) undoesRollOut(run, 'accept', accept);
  else await rollOut(run, 'accept', 'old, accept new', { ...accept, keepsLock: true });
  // Before the services are taken back to the old key alone, and after they have stopped writing under the new one.
  run.undoes('reencrypt', () => rowsBack('reencrypt'));
  key.used = true;
  // Whoever an earlier run had left with the new key alone would not read what the first to go back writes.
  const beforeUndo = left === 'new only' ? { beforeUndo: () => readBothAgain(run, hold) } : {};
  await rollOut(run, 'sign', 'new, accept old', { from: 'old, accept new', hold, ...beforeUndo });
  await newKeyAlone(run, hold);
}

async function readBothAgain(run: Run, hold: EncryptionHold): Promise<void> {
  const arrangement = 'new, accept old';
  await persistentEffects('Undo: the old key is read again', run.plan.taskQueue).arrangeSecret({
    ...hold,
    arrangement,
  });
  await deployAll(run, 'back');
}

async function newKeyAlone(run: OnlineRun, hold: EncryptionHold): Promise<void> {
  const { plan } = run;
  const { taskQueue } = plan;
  const toNew = { direction: 'to the new key', unreadable: 'ask', writers: 'ask' } as const;
  await run.step('reencrypt', () => sweepUntilDone(run, 'reencrypt', hold, toNew));
  await run.step('verify-rows', async () => {
    for (let readings = 1; ; readings++) {
      const read = await longEffects('Read every row under the new key alone', taskQueue).readRows(hold);
      if (read.others === 0) return read;
      if (readings === READINGS)
        throw answer(
          'old-key-needed',
          `rows are not under the new key after ${READINGS} readings: ${read.which.join(', ')}`,
        );
      await sweepUntilDone(run, 'verify-rows', hold, toNew);
    }
  });
  await verifyAndWatch(run);
  await run.gate('approve-retire', `Take the old key of ${formatRef(plan.ref)} from the services, for good?`);
  await waitForWindow(run, 'window-retire');

  // People may take a day. From the next deploy on the application cannot read what is under the old key.
  await run.step('sweep', () => sweepUntilDone(run, 'sweep', hold, toNew));

  await rollOut(run, 'retire', 'new only', { hold });
  await run.step('sweep-again', () =>
    sweepUntilDone(run, 'sweep-again', hold, { ...toNew, unreadable: 'refuse', writers: 'refuse' }),
  );
  await endWithOldKey(run, hold);
}
