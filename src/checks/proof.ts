/**
 * Tries the old value and must be refused (design, "The old one is proven dead"). A refusal alone proves nothing: the address
 * could refuse everybody. So the same request must be accepted with the current value, and refused with a random one.
 */
import { randomBytes } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { PlannedProof } from '../domain/plan.js';
import { SecretValue } from '../domain/secret-value.js';
import type { CheckContext } from './check.js';
import { send, type Outgoing } from './http-client.js';
import { label } from './http.js';
import type { Presenter } from './presenter.js';
import { presentCookie } from './proof-cookie.js';
import { inconclusive } from './proof-errors.js';
import { presentToken } from './proof-jwt.js';
import { presentValue } from './proof-value.js';
import { bodyMismatch } from './reply-expectation.js';
import { oneLine } from '../processes/safe-text.js';

/** Each on a new connection, to reach every instance behind a balancer that takes turns; raise it for more than five. */
const ATTEMPTS = 5;

export interface ProofOptions {
  readonly old: SecretValue;
  readonly current: SecretValue;
  readonly context: CheckContext;
  /** How often the old value is tried. Default: 5. */
  readonly attempts?: number;
}

/**
 * In this order: what the application itself issued → the same signed again by us with the current value (our signing is
 * faithful) → with a random value (the address does look) → with the old one, several times → with the current one again (the
 * refusals were not an outage or a lock-out). An answer counts as accepted when its status is among `accepted` and its body is as
 * `request.expect` says (where given), as refused when its status is among `refused` and it was not accepted. Leaves nothing
 * behind but sign-ins; may be repeated.
 * @throws KeyturnError `old-still-accepted` as soon as one instance accepts the old value; `proof-inconclusive` when a control
 * fails or an answer is neither; when the signal aborts, its reason.
 */
export async function proveOldRefused(proof: PlannedProof, options: ProofOptions): Promise<Evidence> {
  const { old, current, context, attempts = ATTEMPTS } = options;
  if (old.equals(current)) throw inconclusive('the old value is the current one', 'nothing has been rotated');
  const presenter = await present(proof, context);
  const ask = (request: Outgoing): Promise<Outcome> => outcome(proof, request, context);
  if (presenter.genuine) must('accepted', await ask(presenter.genuine), 'what the application itself issued');
  const control = must('accepted', await ask(presenter.forge(current)), 'the current value');
  const random = must('refused', await ask(presenter.forge(randomValue())), 'a random value');
  const statuses: number[] = [];
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const answer = await ask(presenter.forge(old));
    if (answer.verdict === 'accepted') throw stillAccepted(proof, answer.status, attempt, attempts);
    statuses.push(must('refused', answer, 'the old value'));
  }
  must('accepted', await ask(presenter.forge(current)), 'the current value, tried again at the end,');
  const counted = count(statuses);
  return {
    summary: oneLine(
      `old value refused in ${attempts} of ${attempts} requests (${counted}); current one accepted (${control}), a random one refused (${random}): ${label(proof.request)}`,
    ),
    facts: { proof: proof.type, attempts, refused: statuses.length, answers: counted, control, random },
  };
}

async function present(proof: PlannedProof, context: CheckContext): Promise<Presenter> {
  switch (proof.type) {
    case 'signed-cookie':
      return presentCookie(proof, context);
    case 'jwt':
      return presentToken(proof, context);
    case 'value':
      return presentValue(proof);
  }
}

interface Outcome {
  readonly verdict: 'accepted' | 'refused' | 'neither';
  readonly status: number;
}

async function outcome(proof: PlannedProof, request: Outgoing, context: CheckContext): Promise<Outcome> {
  try {
    const reply = await send(request, context.signal);
    const { status } = reply;
    const fits = proof.accepted.includes(status) && bodyMismatch(reply, proof.request.expect ?? {}) === null;
    return { status, verdict: fits ? 'accepted' : proof.refused.includes(status) ? 'refused' : 'neither' };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    throw inconclusive(`${label(proof.request)}: ${error.message}`, 'try again when the service answers', true);
  }
}

/** @returns the status. */
function must(wanted: 'accepted' | 'refused', { verdict, status }: Outcome, what: string): number {
  if (verdict === wanted) return status;
  const got =
    verdict === 'neither' ? `was answered ${status}, neither accepted nor refused` : `was ${verdict} (${status})`;
  throw inconclusive(`${what} ${got}, expected it to be ${wanted}`, HINTS[wanted], status >= 500);
}

const HINTS = {
  accepted: 'do all instances run with the current value, and does the proof ask an address that needs a sign-in?',
  refused: 'the proof must ask an address that refuses everybody who is not signed in',
} as const;

function stillAccepted(proof: PlannedProof, status: number, attempt: number, attempts: number): KeyturnError {
  const where = `${label(proof.request)} answered ${status} to request ${attempt} of ${attempts}`;
  return new KeyturnError('old-still-accepted', oneLine(`the old value is still accepted: ${where}`), {
    hint: 'an instance still runs with the old value: find it, deploy it again, then repeat the proof',
  });
}

/** As long and as odd as a real one, so that it is refused for its content. */
function randomValue(): SecretValue {
  return new SecretValue(randomBytes(32).toString('hex'));
}

function count(statuses: readonly number[]): string {
  const counts = new Map<number, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, times]) => `${status} ×${times}`).join(', ');
}
