/**
 * A page of AES-256-GCM values from one key to the next, a value at a time: an authenticated cipher authenticates each value for
 * itself, so there is no one call for many. Every value gets a fresh random iv; under one key that is good for 2^32 values with 12
 * bytes (NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { GcmFormat } from '../domain/specs/ciphertext.js';
import type { Page, ReencryptedPage, Reencryptor, ValueState } from './cipher.js';
import { checkGcmFormat, parseGcm, prefixOf, TAG_BYTES, writeGcm, type ParsedGcm } from './gcm-layout.js';

const CIPHER = 'aes-256-gcm';
const OPTIONS = { authTagLength: TAG_BYTES } as const;

interface GcmKey {
  readonly secret: KeyObject;
  readonly prefix: Buffer;
}

/** @param keys 32 bytes each. @throws KeyturnError `bad-format` as checkGcmFormat. */
export function gcmReencryptor(format: GcmFormat, keys: { readonly from: Buffer; readonly to: Buffer }): Reencryptor {
  checkGcmFormat(format);
  const from = gcmKey(format, keys.from);
  const to = gcmKey(format, keys.to);
  /** Which key is tried first: the one that read the value before. In a second sweep that is the new one. */
  let likely: 'old' | 'new' = 'old';

  function open(value: Buffer, associated: Buffer | null): Opened | null {
    for (const state of likely === 'old' ? (['old', 'new'] as const) : (['new', 'old'] as const)) {
      const opened = openUnder(format, state === 'old' ? from : to, value, associated);
      if (opened === null) continue;
      likely = state;
      return { state, ...opened };
    }
    return null;
  }

  return {
    reencrypt({ values, associated }: Page): ReencryptedPage {
      const states: ValueState[] = [];
      const fresh: (Buffer | null)[] = [];
      const ivs = randomBytes(values.length * format.ivLength);
      values.forEach((value, row) => {
        fresh.push(null);
        if (value === null || value.length === 0) return void states.push('empty');
        const covered = associated?.[row] ?? null;
        const opened = open(value, covered);
        states.push(opened?.state ?? 'unreadable');
        if (opened?.state === 'old') {
          const iv = ivs.subarray(row * format.ivLength, (row + 1) * format.ivLength);
          fresh[row] = seal(format, to, opened, iv, covered);
        }
        opened?.plaintext.fill(0);
      });
      return { states, fresh };
    },
  };
}

interface Opened {
  readonly state: 'old' | 'new';
  readonly plaintext: Buffer;
  readonly padded: boolean;
}

function gcmKey(format: GcmFormat, key: Buffer): GcmKey {
  return { secret: createSecretKey(key), prefix: prefixOf(format, key) };
}

function openUnder(
  format: GcmFormat,
  { secret, prefix }: GcmKey,
  value: Buffer,
  associated: Buffer | null,
): { readonly plaintext: Buffer; readonly padded: boolean } | null {
  if (prefix.compare(value, 0, Math.min(prefix.length, value.length)) !== 0) return null;
  const parsed = parseGcm(format, value.subarray(prefix.length));
  if (parsed === null) return null;
  const plaintext = decrypt(secret, parsed, associated);
  return plaintext === null ? null : { plaintext, padded: parsed.padded };
}

/** @returns null when the tag says that this is not what was encrypted under this key. */
function decrypt(secret: KeyObject, { iv, tag, ciphertext }: ParsedGcm, associated: Buffer | null): Buffer | null {
  const decipher = createDecipheriv(CIPHER, secret, iv, OPTIONS);
  decipher.setAuthTag(tag);
  if (associated) decipher.setAAD(associated);
  const plaintext = decipher.update(ciphertext);
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return null;
  }
}

function seal(
  format: GcmFormat,
  { secret, prefix }: GcmKey,
  { plaintext, padded }: Opened,
  iv: Buffer,
  associated: Buffer | null,
): Buffer {
  const cipher = createCipheriv(CIPHER, secret, iv, OPTIONS);
  if (associated) cipher.setAAD(associated);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return writeGcm(format, prefix, { iv, tag: cipher.getAuthTag(), ciphertext }, padded);
}
