/** Fingerprints: enough to see that two values are the same or differ, nothing to work back from. */
import { createHmac } from 'node:crypto';
import type { SecretValue } from '../domain/secret-value.js';
import type { VersionInfo } from '../domain/slot.js';

/** 12 hex digits = 48 bits: no collision among the few thousand values of a company, useless for a search without the key. */
const DIGITS = 12;

export type Fingerprinter = (value: SecretValue) => VersionInfo;

/** @param key the worker's KEYTURN_FINGERPRINT_KEY. */
export function createFingerprinter(key: string): Fingerprinter {
  return (value) => ({
    fingerprint: createHmac('sha256', key).update(value.reveal(), 'utf8').digest('hex').slice(0, DIGITS),
    length: value.length,
  });
}
