/**
 * From the text that an application keeps to the 32 bytes it encrypts with, exactly as the application does it. A key is read as
 * strictly as it can be: one that only nearly has its form would encrypt rows that the application then cannot read.
 */
import { createHash, hkdfSync, scryptSync } from 'node:crypto';
import { KeyturnError } from '../domain/errors.js';
import type { KeyForm, PublicBytes } from '../domain/specs/ciphertext.js';
import type { SecretValue } from '../domain/secret-value.js';
import { decode } from './encodings.js';

/** AES-256, and the two halves of a Fernet key. */
export const KEY_BYTES = 32;

type Derivation = Exclude<KeyForm, string>;
type Written = Exclude<KeyForm, Derivation>;

/**
 * Pure; scrypt takes as long as its cost says (50 ms by default) and holds the thread meanwhile.
 * @throws KeyturnError `malformed-key`; the message tells sizes and forms, never a character of the key.
 */
export function deriveKey(form: KeyForm, text: SecretValue): Buffer {
  const stored = text.reveal();
  if (stored === '') throw malformed('the key is empty');
  if (typeof form === 'string') return written(form, stored);
  const material = form.of === 'text' ? Buffer.from(stored, 'utf8') : decoded(form.of, stored);
  return derived(form, material);
}

/** What a GCM prefix can show of a key: the first 8 hex digits of its SHA-256. */
export function keyId(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

const FORM: Readonly<Record<Written, string>> = {
  fernet: 'a Fernet key is 32 bytes as URL-safe base64: 44 characters, the last one "="',
  raw: 'a raw key is a text of 32 bytes',
  hex: 'the key is 32 bytes in hex: 64 digits',
  base64: 'the key is 32 bytes in base64: 44 characters, or 43 without "="',
  base64url: 'the key is 32 bytes in URL-safe base64: 43 characters, or 44 with "="',
};

function written(form: Written, stored: string): Buffer {
  const key = form === 'raw' ? Buffer.from(stored, 'utf8') : decoded(form === 'fernet' ? 'base64url' : form, stored);
  if (form === 'fernet' && stored.length !== 44) throw malformed(`${FORM.fernet}; ${sizeOf(stored)}`);
  if (key.length !== KEY_BYTES) throw malformed(`${FORM[form]}; this one comes to ${key.length} bytes`);
  return key;
}

function decoded(encoding: 'hex' | 'base64' | 'base64url', stored: string): Buffer {
  // As UTF-8: a character outside ASCII must not pass for the byte that is its number.
  const result = decode(Buffer.from(stored, 'utf8'), encoding);
  if (result === null || result.bytes.length === 0) {
    throw malformed(`the key is not ${encoding === 'base64url' ? 'URL-safe base64' : encoding}; ${sizeOf(stored)}`);
  }
  return result.bytes;
}

function derived(form: Derivation, material: Buffer): Buffer {
  switch (form.derive) {
    case 'sha256':
      return createHash('sha256').update(material).digest();
    case 'scrypt':
      return scrypt(form, material);
    case 'hkdf':
      return Buffer.from(hkdfSync(form.digest, material, publicBytes(form.salt), publicBytes(form.info), KEY_BYTES));
  }
}

function scrypt(form: Extract<Derivation, { derive: 'scrypt' }>, material: Buffer): Buffer {
  const { cost, blockSize, parallelization } = form;
  // What scrypt needs (RFC 7914) and a little for OpenSSL's own: Node's default stops at 32 MiB.
  const maxmem = 128 * blockSize * (cost + parallelization) + 1_048_576;
  try {
    return scryptSync(material, publicBytes(form.salt), KEY_BYTES, { cost, blockSize, parallelization, maxmem });
  } catch {
    throw malformed(`scrypt takes no cost ${cost}, block size ${blockSize}, parallelization ${parallelization}`, {
      hint: 'the cost is a power of two; write what the application passes to scrypt',
    });
  }
}

function publicBytes(bytes: PublicBytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes.hex, 'hex');
}

function sizeOf(stored: string): string {
  if (/\s/.test(stored)) return `this one has ${stored.length} characters, white space among them`;
  return `this one has ${stored.length} characters`;
}

function malformed(message: string, options: { hint?: string } = {}): KeyturnError {
  return new KeyturnError('malformed-key', message, {
    hint: 'look at how the application reads its key, and let the inventory say the same under "key"',
    ...options,
  });
}
