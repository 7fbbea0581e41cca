/** Whether the old value is dead: tried where the inventory says how, said on the record either way, and after a leak taken on by a person. */
import { formatRef } from '../../domain/refs.js';
import { mustBeTakenOn, NO_PROOF_DECLARED, notProven, type Proof, type ProofEvidence } from '../../domain/proof.js';
import { endsRun, reasonOf } from './failures.js';
import type { Run } from './run.js';

/**
 * Before the old value is destroyed: the proof needs it, and a failed one leaves it for a person to look at.
 * @param attempt null: nothing can be tried. @throws what the attempt throws; Rejected when nobody takes it on that nothing is proven.
 */
export async function proveOldDead(run: Run, attempt: (() => Promise<ProofEvidence>) | null): Promise<void> {
  run.board.setPhase('proving');
  const proof = attempt ? await tried(run, attempt) : NO_PROOF_DECLARED;
  run.proves(proof);
  if (proof.proven || !mustBeTakenOn(run.plan.reason)) return;
  run.board.addBefore('take-on', 'Approval: end without a proof', 'forget');
  const question = `Nothing shows that the old value of ${formatRef(run.plan.ref)} is dead (${proof.because}). Do you take that on?`;
  await run.gate('take-on', 'unproven', question, {
    denyOnExpiry: true,
    afterDenial: 'the run ends stopped, with the old value kept in the store',
  });
}

async function tried(run: Run, attempt: () => Promise<ProofEvidence>): Promise<Proof> {
  try {
    return (await run.step('prove', attempt)).proof;
  } catch (error) {
    if (endsRun(error)) run.proves(notProven(reasonOf(error)));
    throw error;
  }
}
