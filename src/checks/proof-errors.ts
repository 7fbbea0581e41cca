/** Why a negative proof shows nothing. Code `proof-inconclusive`; nothing has been changed by trying. */
import { KeyturnError } from '../domain/errors.js';
import { oneLine } from '../processes/safe-text.js';

export function inconclusive(why: string, hint: string, retryable = false): KeyturnError {
  return new KeyturnError('proof-inconclusive', oneLine(`the proof shows nothing: ${why}`, 400), { hint, retryable });
}

/** Retryable: signing in also fails while an instance restarts. */
export function loginFailed(flow: string, summary: string): KeyturnError {
  return inconclusive(`${flow} did not sign in: ${summary}`, 'the flow must pass before the proof can be made', true);
}

/** What the application issued is not of the kind that the inventory says. */
export function unlike(why: string): KeyturnError {
  return inconclusive(why, 'compare the proof in the inventory with what the application really issues');
}
