/**
 * Attempts at a step that failed and are made again. A workflow does not hear of them: its worker tells it by a signal, at the second
 * attempt and each time their number has doubled, so that a history of forty attempts has five of them.
 */
import { oneLine } from './one-line.js';

export const ATTEMPT_FAILED = 'attemptFailed';

export interface AttemptFailed {
  readonly attempt: number;
  /** Redacted, one line. */
  readonly error: string;
}

export function isTold(attempt: number): boolean {
  return attempt > 1 && Number.isInteger(Math.log2(attempt));
}

/** @returns null: that is none. */
export function parseTrouble(said: unknown): string | null {
  if (typeof said !== 'object' || said === null || !('attempt' in said) || !('error' in said)) return null;
  const { attempt, error } = said;
  if (typeof attempt !== 'number' || !Number.isSafeInteger(attempt) || typeof error !== 'string') return null;
  return inWords(attempt, error);
}

/** @param next ISO 8601; left out: not known. */
export function inWords(attempt: number, error: string, next?: string): string {
  return `attempt ${attempt} failed: ${oneLine(error)}; it is tried again${next === undefined ? '' : ` at ${next}`}`;
}
