/** The proof with the value that is in use: a proof that cannot be made is found out before anything begins, and not when there is no way back. */
import type { Evidence } from '../domain/evidence.js';
import type { JoseHeader } from '../domain/jose-header.js';
import type { PlannedProof } from '../domain/plan.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { CheckContext } from './check.js';
import { label } from './http.js';
import { present } from './present.js';
import { must, outcome, randomValue } from './proof-answer.js';
import { oneLine } from '../processes/safe-text.js';

export interface Rehearsal extends Evidence {
  /** Of the token that the application issues now, for the proof after the switch; null: it issues none. */
  readonly tokenHeader: JoseHeader | null;
}

/**
 * What the application issued and the same made by us must be accepted, one made with a random value refused.
 * @throws KeyturnError `proof-inconclusive` saying which was not; when the signal aborts, its reason.
 */
export async function rehearseProof(
  proof: PlannedProof,
  { current, context }: { readonly current: SecretValue; readonly context: CheckContext },
): Promise<Rehearsal> {
  const { issued, forge } = await present(proof, context);
  if (issued) must('accepted', await outcome(proof, issued.request, context), 'what the application itself issued');
  const made = issued ? 'one that is made here with the value in use' : 'the value in use';
  const accepted = must('accepted', await outcome(proof, forge(current), context), made);
  const random = must('refused', await outcome(proof, forge(randomValue()), context), 'one made with a random value');
  return {
    summary: oneLine(`${made} is accepted (${accepted}), a random one refused (${random}): ${label(proof.request)}`),
    tokenHeader: issued?.header ?? null,
  };
}
