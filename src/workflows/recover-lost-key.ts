/**
 * `recoverLostKey`: an encryption key is lost. What the key in use still reads comes over to a fresh one, what no key reads goes into
 * quarantine and is entered again by people. Source: document 004, "What Happens if CREDENTIAL_ENCRYPTION_KEY Is Lost".
 * runbooks/lost-key/steps.ts has these steps.
 *
 * Until people begin to enter credentials again everything is undone on failure: the quarantine keeps the rows as they were, also
 * where the inventory says that it is destroyed at the end.
 */
import type { RecoveryHold } from '../activities/recovery-activities.js';
import { parseRecoverInput, type RecoverInput } from '../domain/messages.js';
import { formatRef, rotationWorkflowId } from '../domain/refs.js';
import type { RotationReport } from '../domain/report.js';
import { cameTo } from '../domain/slot.js';
import type { KeyOf } from '../domain/steps.js';
import { isRecovery, RECOVERY_STEPS, type RecoveryPlan } from '../runbooks/lost-key/steps.js';
import { workflowInfo } from '@temporalio/workflow';
import { effects, longEffects, persistentEffects } from './lib/activities.js';
import { answer, asApplicationFailure } from './lib/failures.js';
import { Gatekeeper } from './lib/gatekeeper.js';
import { backUpKey, forgetOldKey, proveOldKeyUnused } from './lib/key-steps.js';
import { WayBack } from './lib/recovery-way-back.js';
import { awaitReentries } from './lib/reentries.js';
import { holdOf, rollOut, stagingOf } from './lib/rollout.js';
import { Run } from './lib/run.js';
import { StandingServices } from './lib/standing-services.js';
import { sweep, sweepUntilDone } from './lib/sweeps.js';
import { verifyAndWatch } from './lib/verification.js';

export async function recoverLostKey(input: unknown): Promise<RotationReport> {
  const gates = new Gatekeeper();
  gates.register();
  const request = parse(input);
  const { workflowId, originalExecutionRunId: requestId } = workflowInfo();
  const lock = rotationWorkflowId(request);
  if (workflowId !== lock) {
    throw answer('bad-input', `a recovery holds the secret by its id: start it as ${lock}, or with keyturn recover`);
  }
  const plan = await effects('Read the inventory and pin the plan').resolveRecovery({ ...request, requestId });
  if (!isRecovery(plan)) throw answer('no-runbook', `${formatRef(plan.ref)} is no encryption key`);
  const run = Run.of(plan, gates, RECOVERY_STEPS);
  return await run.carryOut(() => carryOut(run, plan));
}

async function carryOut(run: Run<KeyOf<typeof RECOVERY_STEPS>>, plan: RecoveryPlan): Promise<void> {
  const { taskQueue, encryption, recovery } = plan;
  const found = await run.prepare(() => longEffects('Read every row under every key', taskQueue).checkRecovery(plan));
  const left = found.leftBehind;
  const hold: RecoveryHold = { ...holdOf(plan), encryption, recovery, ...(left ? { rotation: left.rotation } : {}) };
  if (left) {
    run.earlier.isFinished(left);
    await run.step('settle', () =>
      Promise.resolve({ summary: `of run ${left.rotation} ${cameTo(left)}: its key is used on` }),
    );
  }
  const runOn = found.stoppable.length < plan.services.length;
  const services = new StandingServices(
    run,
    plan.services.filter(({ name }) => found.stoppable.includes(name)),
  );
  const wayBack = new WayBack({ run, hold, services, left, runOn, lost: found.facts?.['lost'] !== 0 });
  // Whatever the inventory says of gates: nobody loses rows without somebody else having looked.
  await run.gate('approve-recover', found.question, { denyOnExpiry: true });
  wayBack.register();
  await run.step('stage', () => effects('Stage a new key', taskQueue).stageKey({ ...hold, ...stagingOf(plan) }));
  await run.step('back-up', () => backUpKey(run, encryption));

  const none = Promise.resolve({
    summary: 'none can be stopped: what they write meanwhile is found after their deploy',
  });
  await run.step('stop', () => (found.stoppable.length > 0 ? services.stop('forward') : none), wayBack.of('stop'));
  await run.step(
    'recover',
    () => longEffects('Keep what reads, move what does not', taskQueue).recoverRows(hold),
    wayBack.of('recover'),
  );
  await rollOut(run, 'switch', 'new only', {
    ...wayBack.switching,
    beforeDeploy: async (to) => {
      services.runAgain();
      // Who was not stopped has written under the old key: most of that is found before its health depends on it.
      if (to === 'new' && runOn) await sweep(hold, 'to the new key', taskQueue);
    },
  });
  await run.step('sweep-again', () =>
    sweepUntilDone(run, 'sweep-again', hold, { direction: 'to the new key', unreadable: 'tell', writers: 'refuse' }),
  );
  await verifyAndWatch(run);
  const { quarantined, places, lists } = await awaitReentries(run, hold);
  if (recovery.enable.length > 0) await run.services.hold('enable', 'forward');
  await run.step('enable', () => persistentEffects('Switch features on again', taskQueue).runChecks(recovery.enable));
  await run.services.release();
  await proveOldKeyUnused(run, hold);
  // After the proof, since a row that should not have been moved can be put back until now. Before the old key: while that is in
  // the store, whoever goes on from a terminated run finds its quarantine, and no quarantine is left that nobody destroys.
  await run.step('destroy', () =>
    persistentEffects('Destroy what no key reads', taskQueue).destroyQuarantine({
      ...hold,
      quarantined,
      places,
      lists,
    }),
  );
  await forgetOldKey(run, hold);
}

function parse(input: unknown): RecoverInput {
  try {
    return parseRecoverInput(input);
  } catch (error) {
    throw asApplicationFailure(error);
  }
}
