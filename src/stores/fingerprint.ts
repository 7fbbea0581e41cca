/** Fingerprints: enough to see that two values are the same or differ, nothing to work back from. */
import { createHmac } from 'node:crypto';
import type { SecretValue } from '../domain/secret-value.js';
import type { VersionInfo } from '../domain/slot.js';
import { labelledKey } from './labelled-key.js';

/**
 * 32 hex digits = 128 bits: nobody finds two values that share one, so "the same fingerprint" may decide that a backup holds the key
 * that is about to be destroyed. People are shown the beginning (`shortFingerprint`), by which nothing is decided.
 */
const DIGITS = 32;

export type Fingerprinter = (value: SecretValue) => VersionInfo;

/** @param key the worker's KEYTURN_FINGERPRINT_KEY. */
export function createFingerprinter(key: string): Fingerprinter {
  const own = labelledKey(key, 'fingerprints');
  return (value) => ({
    fingerprint: createHmac('sha256', own).update(value.reveal(), 'utf8').digest('hex').slice(0, DIGITS),
    length: value.length,
  });
}
