/** Whether the old value is dead: tried where the inventory says how, said on the record either way, and after a leak taken on by a person. */
import { isCancellation } from '@temporalio/workflow';
import { isExposed } from '../../domain/reason.js';
import { formatRef } from '../../domain/refs.js';
import { NO_PROOF_DECLARED, notProven, type Proof, type ProofEvidence } from '../../domain/proof.js';
import type { Readiness } from '../../activities/rotation-activities.js';
import type { PlannedProof } from '../../domain/plan.js';
import { effects } from './activities.js';
import { endsRun, reasonOf } from './failures.js';
import { holdOf } from './rollout.js';
import type { Run } from './run.js';

/**
 * Before the old value is destroyed: the proof needs it, and a failed one leaves it for a person to look at.
 * @param attempt null: nothing can be tried. @throws what the attempt throws; Rejected when nobody takes it on that nothing is proven.
 */
export async function proveOldDead(
  run: Run<'prove' | 'take-on'>,
  attempt: (() => Promise<ProofEvidence>) | null,
): Promise<void> {
  run.board.setPhase('proving');
  const proof = attempt ? await tried(run, attempt) : NO_PROOF_DECLARED;
  run.proves(proof);
  if (proof.proven || !run.earlier.endsExposed) return;
  const question = `Nothing shows that the old value of ${formatRef(run.plan.ref)} is dead (${proof.because}). Do you take that on?`;
  await run.gate('take-on', question, { denyOnExpiry: true });
}

async function tried(run: Run<'prove'>, attempt: () => Promise<ProofEvidence>): Promise<Proof> {
  try {
    return (await run.step('prove', attempt))?.proof ?? NO_PROOF_DECLARED;
  } catch (error) {
    if (endsRun(error)) run.proves(notProven(reasonOf(error)));
    throw error;
  }
}

/** What readiness does where nothing is left to be settled: the proof with the value in use, before anything of this run begins. */
export async function rehearse(run: Run<'rehearse'>, proof: PlannedProof): Promise<Readiness['tokenHeader']> {
  const { plan } = run;
  run.expects(['rehearse']);
  // It signs in: not while somebody else deploys.
  await run.services.hold('rehearse', 'forward');
  const tried = await run.step('rehearse', async () => {
    try {
      return await effects('Try the proof', plan.taskQueue).rehearseProof({ ...holdOf(plan), proof });
    } catch (error) {
      if (!isExposed(plan.reason) || isCancellation(error) || !endsRun(error)) throw error;
      return { summary: `the proof cannot be made: ${reasonOf(error)}`, tokenHeader: null };
    }
  });
  await run.services.release();
  return tried?.tokenHeader ?? null;
}
