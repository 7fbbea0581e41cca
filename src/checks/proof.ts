/**
 * Tries the old value and must be refused (design, "The old one is proven dead"). A refusal alone proves nothing: the address
 * could refuse everybody. So the same request must be accepted with the current value, and refused with a random one.
 */
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import { keyNamesIn, type JoseHeader } from '../domain/jose-header.js';
import type { PlannedProof } from '../domain/plan.js';
import { notProven, proven, type ProofEvidence } from '../domain/proof.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { CheckContext } from './check.js';
import { label } from './http.js';
import { must, outcome, randomValue, type Outcome } from './proof-answer.js';
import { inconclusive } from './proof-errors.js';
import { present } from './present.js';
import type { Outgoing } from './http-client.js';
import { oneLine } from '../processes/safe-text.js';

/** Each on a new connection, to reach every instance behind a balancer that takes turns; raise it for more than five. */
const ATTEMPTS = 5;

export interface ProofOptions {
  readonly old: SecretValue;
  readonly current: SecretValue;
  /** Of a token from before the switch (rehearsal.ts); null: none was had. */
  readonly oldHeader?: JoseHeader | null;
  readonly context: CheckContext;
  /** How often the old value is tried, under each header. Default: 5. */
  readonly attempts?: number;
}

/**
 * In this order: what the application itself issued → the same signed again by us with the current value (our signing is
 * faithful) → with a random value (the address does look) → with the old one, several times → with the current one again (the
 * refusals were not an outage or a lock-out). A verifier may choose its key by what stands in a token's header, so the old value is
 * tried under the header of a token from before the switch too; where headers name a key and none was had, the refusals are told but
 * prove nothing. An answer counts as accepted when its status is among `accepted` and its body is as `request.expect` says (where
 * given), as refused when its status is among `refused` and it was not accepted. Leaves nothing behind but sign-ins; may be repeated.
 * @throws KeyturnError `old-still-accepted` as soon as one instance accepts the old value; `proof-inconclusive` when a control
 * fails or an answer is neither; when the signal aborts, its reason.
 */
export async function proveOldRefused(proof: PlannedProof, options: ProofOptions): Promise<ProofEvidence> {
  const { old, current, context, oldHeader = null, attempts = ATTEMPTS } = options;
  if (old.equals(current)) throw inconclusive('the old value is the current one', 'nothing has been rotated');
  const { issued, forge } = await present(proof, context);
  const ask = (request: Outgoing): Promise<Outcome> => outcome(proof, request, context);
  if (issued) must('accepted', await ask(issued.request), 'what the application itself issued');
  const control = must('accepted', await ask(forge(current)), 'the current value');
  const random = must('refused', await ask(forge(randomValue())), 'a random value');
  const statuses: number[] = [];
  const headers = oldHeader && !sameHeader(oldHeader, issued?.header ?? null) ? [oldHeader, undefined] : [undefined];
  const total = attempts * headers.length;
  for (const header of headers) {
    if (header) must('refused', await ask(forge(randomValue(), header)), 'a random value under the old header');
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const answer = await ask(forge(old, header));
      if (answer.verdict === 'accepted') throw stillAccepted(proof, answer.status, statuses.length + 1, total);
      statuses.push(must('refused', answer, 'the old value'));
    }
  }
  must('accepted', await ask(forge(current)), 'the current value, tried again at the end,');
  const counted = count(statuses);
  const under = headers.length > 1 ? ', under the header of a token from before the switch and under the new one' : '';
  const evidence: Evidence = {
    summary: oneLine(
      `old value refused in ${total} of ${total} requests (${counted})${under}; current one accepted (${control}), a random one refused (${random}): ${label(proof.request)}`,
    ),
    facts: { proof: proof.type, attempts: total, refused: statuses.length, answers: counted, control, random },
  };
  const names = oldHeader ? [] : keyNamesIn(issued?.header ?? {});
  if (names.length === 0) return proven(evidence);
  const why = `tokens name their key (${names.join(', ')}), and no header of a token from before the switch was had: an old token was not tried`;
  return { ...evidence, proof: notProven(why) };
}

function sameHeader(one: JoseHeader, other: JoseHeader | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function stillAccepted(proof: PlannedProof, status: number, attempt: number, attempts: number): KeyturnError {
  const where = `${label(proof.request)} answered ${status} to request ${attempt} of ${attempts}`;
  return new KeyturnError('old-still-accepted', oneLine(`the old value is still accepted: ${where}`), {
    hint: 'an instance still runs with the old value: find it, deploy it again, then repeat the proof',
  });
}

function count(statuses: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, times]) => `${status} ×${times}`).join(', ');
}
