/** Bytes written as text, read strictly: what does not come out the same when it is written again was not written like that. */
import type { GcmFormat } from '../domain/specs/encryption.js';

export type Encoding = GcmFormat['encoding'];

/** Base64 comes with its "=" or without, as applications have it; what was found without is written without. */
export interface Decoded {
  readonly bytes: Buffer;
  readonly padded: boolean;
}

/** Hex in either case; base64 with all of its padding or none. @returns null for anything else. */
export function decode(written: Buffer, encoding: Encoding): Decoded | null {
  if (encoding === 'binary') return { bytes: written, padded: false };
  // One character a byte: what is no ASCII is no digit of any encoding either.
  const text = written.toString('latin1');
  const bytes = Buffer.from(text, encoding);
  if (encoding === 'hex') return bytes.length * 2 === text.length ? { bytes, padded: false } : null;
  const plain = unpadded(bytes, encoding);
  if (text === plain) return { bytes, padded: plain.length % 4 === 0 };
  return text === padded(plain) ? { bytes, padded: true } : null;
}

export function encode(bytes: Buffer, encoding: Encoding, withPadding: boolean): Buffer {
  if (encoding === 'binary') return bytes;
  if (encoding === 'hex') return Buffer.from(bytes.toString('hex'), 'latin1');
  const plain = unpadded(bytes, encoding);
  return Buffer.from(withPadding ? padded(plain) : plain, 'latin1');
}

function unpadded(bytes: Buffer, encoding: 'base64' | 'base64url'): string {
  return bytes.toString(encoding).replace(/=+$/, '');
}

function padded(plain: string): string {
  return plain.padEnd(Math.ceil(plain.length / 4) * 4, '=');
}
