/**
 * What a terminated run left behind. Temporal's lock says that it no longer runs, so its versions may be settled, but by the
 * rules of a run's own steps: people decide where the plan asks them, services are disturbed in the maintenance window, and an
 * old value is destroyed only after it was proven dead. A value that was merely staged goes without asking, since nothing has used it;
 * that is known from how far the run ever came, for what is shown now may have been put back by hand.
 */
import { CancellationScope } from '@temporalio/workflow';
import { formatMilliseconds } from '../../domain/durations.js';
import type { Evidence } from '../../domain/evidence.js';
import { filesOf } from '../../domain/place.js';
import { NO_PROOF_DECLARED, notProven, proofInWords, type Proof } from '../../domain/proof.js';
import { isExposed } from '../../domain/reason.js';
import { formatRef } from '../../domain/refs.js';
import type { Outcome } from '../../domain/report.js';
import {
  canSeeWhoSigns,
  overlapMilliseconds,
  SETTLEMENT_KEYS,
  SIGNER_NOT_SEEN,
  type SettlementKey,
} from '../../runbooks/session/steps.js';
import { cameTo, type Arrangement } from '../../domain/slot.js';
import type { Hold, LeftBehind } from '../../activities/rotation-activities.js';
import { effects, longEffects, persistentEffects } from './activities.js';
import { deployAll, holdOf } from './rollout.js';
import type { Run } from './run.js';
import { askFirst, askToEndUnproven, gateOf } from './settle-questions.js';
import { holdWindowAndServices } from './window.js';

export async function settleLeftovers(run: Run<SettlementKey>, left: LeftBehind): Promise<void> {
  const { arrangement, reached, rotation } = left;
  if (reached === 'old only') {
    run.expects(['settle']);
    await run.step('settle', () => discard(run, left));
    run.earlier.settled(`what run ${rotation} had staged is discarded`, true);
    return;
  }
  switch (arrangement) {
    case 'old only':
    case 'old, accept new':
      await takeBack(run, left);
      return;
    case 'new, accept old':
    case 'new only':
      await carryThrough(run, left);
  }
}

/**
 * The store shows the old value signing: it was so for as long as the run came no further, or the run was on its way back, or
 * somebody has put the old value back. In the last two cases services may have signed with the new one.
 */
async function takeBack(run: Run<SettlementKey>, left: LeftBehind): Promise<void> {
  const { rotation } = left;
  run.expects([...gateOf(run, left), 'settle', 'settle-record']);
  await askFirst(run, left, `take its value back (${deployed(run)}) and destroy it`);
  await holdWindowAndServices(run, 'settle');
  const since = Date.now();
  await run.unlessHalfDone(mixed(run, left, 'old only'), () =>
    run.step('settle', async () => {
      await arrange(run, left, 'old only');
      const { summary } = await deployAll(run, 'forward');
      await discard(run, left);
      return { summary: `the value of run ${rotation} is taken back (${cameTo(left)}); ${summary}` };
    }),
  );
  await run.services.release();
  run.earlier.settled(`the value of run ${rotation} is taken back (${cameTo(left)})`, true);
  await CancellationScope.nonCancellable(() => record(run, left, 'rolled back', { since, proof: null }));
}

/** Services sign with the value already: there may be sessions and tokens of it, so it becomes the one in use. */
async function carryThrough(run: Run<SettlementKey>, left: LeftBehind): Promise<void> {
  const { plan } = run;
  const { overlap, verify, proof, taskQueue } = plan;
  const { rotation } = left;
  const waits = left.arrangement === 'new, accept old' && overlap !== null;
  run.expects([
    ...gateOf(run, left),
    ...(waits ? (['settle-deploy', 'settle-wait'] as const) : []),
    'settle',
    ...(verify.length > 0 ? (['settle-verify'] as const) : []),
    ...(proof ? (['settle-prove'] as const) : []),
    'settle-forget',
    'settle-record',
  ]);
  const steps = [
    deployed(run),
    ...(waits ? [`wait out ${formatMilliseconds(overlapMilliseconds(overlap))}`] : []),
    ...(proof ? ['prove its old value refused'] : []),
    'destroy its old value for good',
  ];
  await askFirst(run, left, `carry its value through: ${steps.join(', ')}`);
  const since = Date.now();
  if (waits) {
    await holdWindowAndServices(run, 'settle-deploy');
    await run.unlessHalfDone(mixed(run, left, left.arrangement), () =>
      run.step('settle-deploy', async () => {
        const { summary } = await deployAll(run, 'forward', { changed: filesOf(plan.slot) });
        if (!proof || proof.type === 'value')
          return { summary: canSeeWhoSigns(plan) === false ? `${summary}; ${SIGNER_NOT_SEEN}` : summary };
        const signer = await effects('See who signs with the new value', taskQueue).seeWhoSigns({
          ...holdOn(run, left),
          proof,
        });
        return { summary: `${summary}; ${signer.summary}` };
      }),
    );
    run.earlier.settled(
      `every service signs with the value of run ${rotation} now, its old value is still accepted`,
      true,
    );
    // Nobody knows since when every instance signs with its new value, so its whole overlap is waited for again.
    const what = "Until tokens of the earlier run's old value have expired";
    await run.wait('settle-wait', what, overlapMilliseconds(overlap));
  }
  await holdWindowAndServices(run, 'settle');
  await run.unlessHalfDone(mixed(run, left, 'new only'), () =>
    run.step('settle', async () => {
      await arrange(run, left, 'new only');
      const { summary } = await deployAll(run, 'forward', { changed: filesOf(plan.slot) });
      return { summary: `run ${rotation} had come to "${left.arrangement}": carried through; ${summary}` };
    }),
  );
  run.earlier.settled(
    `every service uses the value of run ${rotation} now; its old value is kept and not proven dead`,
    true,
  );
  const kept = `the value of run ${rotation} is in use and its old one still kept; mend what failed and start a rotation, which settles it again`;
  let shown = NO_PROOF_DECLARED;
  await run.unlessHalfDone(kept, async () => {
    if (verify.length > 0)
      await run.stepBeside('settle-verify', () => effects('Verify the flows', taskQueue).runChecks(verify));
    if (proof) {
      const seen = await run.stepBeside('settle-prove', () =>
        longEffects("Prove that the earlier run's old value is refused", taskQueue).proveOldRefused({
          ...holdOn(run, left),
          proof,
          // Nobody has a token of its old value any more.
          oldHeader: null,
        }),
      );
      shown =
        seen?.proof ?? notProven(`it was tried and failed: ${run.board.stepsOf(['settle-prove'])[0]?.error ?? ''}`);
    }
    await run.services.release();
  });
  if (!shown.proven && (left.exposed || isExposed(plan.reason))) await askToEndUnproven(run, left, shown);
  await run.unlessHalfDone(kept, async () => {
    // From here on together: a value that is gone must be on record.
    await CancellationScope.nonCancellable(async () => {
      await run.step('settle-forget', () =>
        persistentEffects("Destroy the earlier run's old value", taskQueue).forgetPrevious(holdOn(run, left)),
      );
      const end = shown.proven ? 'proven dead and destroyed' : `destroyed (${proofInWords(shown)})`;
      run.earlier.settled(`run ${rotation} is settled: its value is in use, its old value ${end}`, true);
      await record(run, left, 'completed', { since, proof: shown });
    });
  });
}

/** A row of its own for the run that could not write it. */
async function record(
  run: Run<SettlementKey>,
  { rotation }: LeftBehind,
  outcome: Outcome,
  { since, proof }: { since: number; proof: Proof | null },
): Promise<void> {
  const { plan, board } = run;
  const ended = outcome === 'completed' ? 'carried through' : 'taken back';
  await run.unlessHalfDone(`enter run ${rotation} in the ledger as ${outcome}`, () =>
    run.step('settle-record', async () => {
      const { sequence } = await persistentEffects(`Record the earlier run: ${outcome}`).recordRotation({
        ref: formatRef(plan.ref),
        outcome,
        method: plan.method,
        operator: plan.operator,
        requestId: rotation,
        orElse: `${rotation}, settled by ${plan.requestId}`,
        startedAt: new Date(since).toISOString(),
        finishedAt: new Date(Date.now()).toISOString(),
        steps: board.stepsOf(SETTLEMENT_KEYS).filter(({ state }) => state === 'done'),
        refusals: [],
        proof,
        ledgerSequence: null,
        nextDueAt: null,
        todo: [],
        kind: plan.kind,
        reason: plan.reason,
        cadence: plan.cadence,
        notes: `ended half-way, ${ended} by run ${plan.requestId}; operator, reason and times are those of that run`,
      });
      return { summary: `ledger row ${sequence}, ${outcome}` };
    }),
  );
}

async function arrange(run: Run, left: LeftBehind, arrangement: Arrangement): Promise<void> {
  await effects(`Store: ${arrangement}`, run.plan.taskQueue).arrangeSecret({ ...holdOn(run, left), arrangement });
}

async function discard(run: Run, left: LeftBehind): Promise<Evidence> {
  await effects('Discard what the earlier run staged', run.plan.taskQueue).discardSecret(holdOn(run, left));
  return { summary: `run ${left.rotation} had staged a value that nothing used: discarded` };
}

function holdOn({ plan }: Run, { rotation }: LeftBehind): Hold {
  return { ...holdOf(plan), rotation };
}

/** What to do when the run ends between two deploys. */
function mixed({ plan }: Run, { rotation }: LeftBehind, arrangement: Arrangement): string {
  const services = plan.services.map(({ name }) => name).join(', ');
  return `${services} may run different values (the store shows "${arrangement}" of run ${rotation}): look which of them were deployed, mend what failed and start a rotation, which settles the rest`;
}

function deployed({ plan }: Run): string {
  return `deploy ${plan.services.map(({ name }) => name).join(', ')}`;
}
