/** Bytes written as text, read strictly: what does not come out the same when it is written again was not written like that. */
import type { GcmFormat } from '../domain/specs/ciphertext.js';

export type Encoding = GcmFormat['encoding'];
export type TextEncoding = Exclude<Encoding, 'binary'>;

/** Base64 comes with its "=" or without, as applications have it; what was found without is written without. */
export interface Decoded {
  readonly bytes: Buffer;
  readonly padded: boolean;
}

/** Hex in either case; base64 with all of its padding or none. @returns null for anything else. */
export function decode(written: Buffer, encoding: Encoding): Decoded | null {
  if (encoding === 'binary') return { bytes: written, padded: false };
  return decodeText(written.toString('latin1'), encoding);
}

/** @param text one character a byte (latin1): what is no ASCII is no digit of any encoding either. */
export function decodeText(text: string, encoding: TextEncoding): Decoded | null {
  const bytes = Buffer.from(text, encoding);
  if (encoding === 'hex') return bytes.length * 2 === text.length ? { bytes, padded: false } : null;
  const plain = unpadded(bytes, encoding);
  if (text === plain) return { bytes, padded: plain.length % 4 === 0 };
  return text === padded(plain) ? { bytes, padded: true } : null;
}

export function encodeText(bytes: Buffer, encoding: TextEncoding, withPadding: boolean): string {
  if (encoding === 'hex') return bytes.toString('hex');
  const plain = unpadded(bytes, encoding);
  return withPadding ? padded(plain) : plain;
}

function unpadded(bytes: Buffer, encoding: 'base64' | 'base64url'): string {
  return bytes.toString(encoding).replace(/=+$/, '');
}

function padded(plain: string): string {
  return plain.padEnd(Math.ceil(plain.length / 4) * 4, '=');
}
