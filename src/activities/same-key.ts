/** Fingerprints of two keys cannot be compared: a plan says with which its run began, and a worker that has another does nothing for it. */
import { KeyturnError } from '../domain/errors.js';
import { labelledKey } from '../stores/labelled-key.js';

/** @param key KEYTURN_FINGERPRINT_KEY. @returns 32 hex digits, from which it cannot be found. */
export function nameOfKey(key: string): string {
  return labelledKey(key, 'name of the key').toString('hex').slice(0, 32);
}

/**
 * @param asked an activity's first argument: a plan, or what carries its key's name.
 * @throws KeyturnError `another-fingerprint-key` (retryable: the next attempt may find a worker with the right one).
 */
export function demandSameKey(asked: unknown, own: string | undefined): void {
  if (own === undefined || typeof asked !== 'object' || asked === null) return;
  const { fingerprintKey, plan } = asked as { fingerprintKey?: unknown; plan?: { fingerprintKey?: unknown } };
  const named = fingerprintKey ?? plan?.fingerprintKey;
  if (typeof named !== 'string' || named === own) return;
  throw new KeyturnError(
    'another-fingerprint-key',
    'this worker has another KEYTURN_FINGERPRINT_KEY than the one that made the plan',
    {
      hint: 'give every worker the same one; until then stop the one that differs',
      retryable: true,
    },
  );
}
