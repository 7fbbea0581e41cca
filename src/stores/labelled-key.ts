/**
 * Keys made of the worker's one, KEYTURN_FINGERPRINT_KEY, by HKDF-SHA256 (RFC 5869) with a label each: what is made under one of them
 * says nothing about what is made under another. A value can spell any text, so a prefix before the text would not keep them apart.
 */
import { hkdfSync } from 'node:crypto';

export type KeyLabel = 'fingerprints' | 'seals of manifests' | 'name of the key';

const BYTES = 32;

export function labelledKey(key: string, label: KeyLabel): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `keyturn 1: ${label}`, BYTES));
}
