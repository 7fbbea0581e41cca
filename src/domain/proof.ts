/** What a run may say about its old value. `proven` only of a refusal that was seen, with its control; all else is `not proven`, never softened. */
import type { Evidence } from './evidence.js';

export interface Proof {
  readonly proven: boolean;
  /** What was seen, or why nothing shows that the old value is dead; one sentence for people. */
  readonly because: string;
}

/** The result of an activity that looked for one. */
export interface ProofEvidence extends Evidence {
  readonly proof: Proof;
}

export function proven(evidence: Evidence): ProofEvidence {
  return { ...evidence, proof: { proven: true, because: evidence.summary } };
}

export function notProven(because: string): Proof {
  return { proven: false, because };
}

export const NO_PROOF_DECLARED = notProven('the inventory declares no proof');

/** `not proven: the inventory declares no proof`, in the ledger and wherever people read it. */
export function proofInWords({ proven: seen, because }: Proof): string {
  return `${seen ? 'proven' : 'not proven'}: ${because}`;
}
