/**
 * `rotateSessionSecret`: session, signing and token secrets.
 * Sources: documents 000 (replace, restart, end all sessions), 001 (both secrets for a while, monitor, clean up after 24 h),
 * 002 (all tokens invalid; log-in, refresh and impersonation verified). runbooks/session/steps.ts has these steps.
 */
import type { Evidence } from '../domain/evidence.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef } from '../domain/refs.js';
import type { RolloutReport } from '../domain/status.js';
import type { RotationReport } from '../domain/report.js';
import { canSeeWhoSigns, overlapMilliseconds, SESSION_STEPS, SIGNER_NOT_SEEN } from '../runbooks/session/steps.js';
import { effects, longEffects, persistentEffects } from './lib/activities.js';
import type { Gatekeeper } from './lib/gatekeeper.js';
import { answer } from './lib/failures.js';
import { oneAfterTheOther } from './lib/one-after-the-other.js';
import { proveOldDead, rehearse } from './lib/proving.js';
import { seeReady } from './lib/ready.js';
import { holdOf, rollOut, stagingOf } from './lib/rollout.js';
import { Run } from './lib/run.js';
import { settleLeftovers } from './lib/settle.js';
import { underItsLock } from './lib/under-its-lock.js';
import { verifyAndWatch } from './lib/verification.js';
import { waitForWindow } from './lib/window.js';

export async function rotateSessionSecret(input: unknown): Promise<RotationReport | RolloutReport> {
  return await underItsLock(input, carryOut, oneAfterTheOther);
}

async function carryOut(plan: RotationPlan, gates: Gatekeeper): Promise<RotationReport> {
  // A random value in place of a database URL, or of a key that rows are under, would be the end of both.
  if (plan.swap || plan.encryption)
    throw answer('no-runbook', `${formatRef(plan.ref)} is of kind ${plan.kind}: start that kind's own runbook`);
  const run = Run.of(plan, gates, SESSION_STEPS);
  const { ref, taskQueue, overlap, revocation, proof } = plan;
  const hold = holdOf(plan);
  const name = formatRef(ref);

  return await run.carryOut(async () => {
    const ready = await seeReady(run);
    let { tokenHeader: oldHeader } = ready;
    if (ready.leftBehind) {
      await settleLeftovers(run, ready.leftBehind);
      if (proof) oldHeader = await rehearse(run, proof);
    }
    await run.step(
      'stage',
      () =>
        effects('Stage a new value', taskQueue).stageSecret({
          ...hold,
          ...stagingOf(plan),
        }),
      {
        undo: () => persistentEffects('Undo: discard the staged value', taskQueue).discardSecret(hold),
      },
    );
    await run.gate('approve-promote', `Use the new value of ${name} (${plan.method}, ${plan.reason})?`);
    await waitForWindow(run, 'window');

    await rollOut(run, 'switch', 'new only', { from: 'old only', keepsLock: true });
    await rollOut(run, 'accept', 'old, accept new', { from: 'old only', keepsLock: true });
    await rollOut(run, 'sign', 'new, accept old', { from: 'old, accept new', keepsLock: true });
    const allSignWithNew = Date.now();
    // Before the overlap begins to count: who signs with the old value would sign everybody out with deploy 3.
    await seeWhoSigns(run);

    if (revocation)
      await run.stepBeside('revoke', () => effects('End all sessions', taskQueue).revokeSessions(revocation), {
        lasting: endedSessions,
      });
    await verifyAndWatch(run);
    await run.wait(
      'expire',
      'Until everything signed with the old value has expired',
      overlap ? allSignWithNew + overlapMilliseconds(overlap) - Date.now() : 0,
    );
    await run.gate('approve-retire', `Stop accepting the old value of ${name}, for good?`);
    await waitForWindow(run, 'window-retire');
    await rollOut(run, 'retire', 'new only', { keepsLock: proof !== null });

    // The proof signs in: not while somebody else deploys.
    if (proof) await run.services.hold('prove', 'forward');
    const prove = longEffects('Prove that the old value is refused', taskQueue);
    await proveOldDead(run, proof && (() => prove.proveOldRefused({ ...hold, proof, oldHeader })));
    await run.services.release();
    await run.step('forget', () => persistentEffects('Destroy the old value', taskQueue).forgetPrevious(hold));
  });
}

async function seeWhoSigns(run: Run<'signer'>): Promise<void> {
  const { proof, taskQueue } = run.plan;
  const can = canSeeWhoSigns(run.plan);
  if (can && proof)
    await run.step('signer', () =>
      effects('See who signs with the new value', taskQueue).seeWhoSigns({ ...holdOf(run.plan), proof }),
    );
  else if (can === false) {
    await run.step('signer', () => Promise.resolve({ summary: SIGNER_NOT_SEEN }));
    run.notes(`with which value it signs: ${SIGNER_NOT_SEEN}`);
  }
}

/** Said only where some were: an effect that nobody saw may have ended them. */
function endedSessions(evidence: Evidence | null): string | null {
  const ended = evidence?.facts?.['revoked'];
  if (typeof ended !== 'number') return 'sessions may have been ended: those stay ended';
  return ended === 0 ? null : 'the sessions that were ended stay ended';
}
