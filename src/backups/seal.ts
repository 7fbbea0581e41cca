/** The seal of a manifest: the whole HMAC-SHA256 of its text, under a key that nothing else is made with. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { labelledKey } from '../stores/labelled-key.js';

export interface Sealer {
  /** @returns 64 hex digits. */
  seal(text: string): string;
  /** In the same time whatever is wrong with it. */
  fits(text: string, seal: string): boolean;
}

/** @param key the worker's KEYTURN_FINGERPRINT_KEY. */
export function createSealer(key: string): Sealer {
  const own = labelledKey(key, 'seals of manifests');
  const macOf = (text: string): Buffer => createHmac('sha256', own).update(text, 'utf8').digest();
  return {
    seal: (text) => macOf(text).toString('hex'),
    fits: (text, seal) => SEAL.test(seal) && timingSafeEqual(macOf(text), Buffer.from(seal, 'hex')),
  };
}

const SEAL = /^[0-9a-f]{64}$/;
