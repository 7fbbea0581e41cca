/** What an answer to a presented credential means. Anything that is neither a yes nor a no proves nothing. */
import { randomBytes } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import type { PlannedProof } from '../domain/plan.js';
import { SecretValue } from '../domain/secret-value.js';
import type { CheckContext } from './check.js';
import { send, type Outgoing, type Reply } from './http-client.js';
import { label } from './http.js';
import { inconclusive } from './proof-errors.js';
import { bodyMismatch } from './reply-expectation.js';

export interface Outcome {
  readonly verdict: 'accepted' | 'refused' | 'neither';
  readonly status: number;
}

export async function outcome(proof: PlannedProof, request: Outgoing, context: CheckContext): Promise<Outcome> {
  try {
    const reply = await send(request, context.signal);
    const { status } = reply;
    const fits = proof.accepted.includes(status) && bodyMismatch(reply, proof.request.expect ?? {}) === null;
    return { status, verdict: fits ? 'accepted' : refuses(proof, reply, request.url) ? 'refused' : 'neither' };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    throw inconclusive(`${label(proof.request)}: ${error.message}`, 'try again when the service answers', true);
  }
}

/** A redirect may lead anywhere; only one to where people sign in is a no. */
function refuses({ refused, refusedTo }: PlannedProof, reply: Reply, url: string): boolean {
  if (!refused.includes(reply.status)) return false;
  if (reply.status < 300 || reply.status > 399) return true;
  const location = reply.header('location') ?? '';
  return URL.canParse(location, url) && new URL(location, url).pathname === refusedTo;
}

/** @returns the status. */
export function must(wanted: 'accepted' | 'refused', { verdict, status }: Outcome, what: string): number {
  if (verdict === wanted) return status;
  const got =
    verdict === 'neither' ? `was answered ${status}, neither accepted nor refused` : `was ${verdict} (${status})`;
  throw inconclusive(`${what} ${got}, expected it to be ${wanted}`, HINTS[wanted], status >= 500);
}

const HINTS = {
  accepted: 'do all instances run with the current value, and does the proof ask an address that needs a sign-in?',
  refused: 'the proof must ask an address that refuses everybody who is not signed in',
} as const;

/** As long and as odd as a real one, so that it is refused for its content. */
export function randomValue(): SecretValue {
  return new SecretValue(randomBytes(32).toString('hex'));
}
