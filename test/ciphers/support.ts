/** Tokens made here by hand, so that what is tested is not also what makes the test. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { ReencryptedPage, Reencryptor } from '../../src/ciphers/cipher.js';

export interface TokenParts {
  readonly version?: number;
  readonly timestamp?: bigint;
  readonly iv?: Buffer;
  /** Blocks to encrypt as they are, without padding added. */
  readonly blocks?: Buffer;
}

export function fernetToken(key: Buffer, plaintext: Buffer | string, parts: TokenParts = {}): Buffer {
  const { version = 0x80, timestamp = 1_700_000_000n, iv = randomBytes(16) } = parts;
  const header = Buffer.alloc(9);
  header.writeUInt8(version);
  header.writeBigUInt64BE(timestamp, 1);
  const cipher = createCipheriv('aes-128-cbc', key.subarray(16), iv).setAutoPadding(parts.blocks === undefined);
  const sealed = Buffer.concat([cipher.update(parts.blocks ?? Buffer.from(plaintext)), cipher.final()]);
  return signed(key, Buffer.concat([header, iv, sealed]));
}

export function signed(key: Buffer, message: Buffer): Buffer {
  const mac = createHmac('sha256', key.subarray(0, 16)).update(message).digest();
  return fernetText(Buffer.concat([message, mac]));
}

/** URL-safe with padding. */
export function fernetText(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_'));
}

export interface OpenedToken {
  readonly plaintext: Buffer;
  readonly timestamp: bigint;
  readonly iv: Buffer;
}

/** @returns null unless the token is valid under the key. */
export function openFernet(key: Buffer, token: Buffer): OpenedToken | null {
  const bytes = Buffer.from(token.toString(), 'base64url');
  const mac = createHmac('sha256', key.subarray(0, 16)).update(bytes.subarray(0, -32)).digest();
  if (!mac.equals(bytes.subarray(-32))) return null;
  const iv = bytes.subarray(9, 25);
  const decipher = createDecipheriv('aes-128-cbc', key.subarray(16), iv);
  const plaintext = Buffer.concat([decipher.update(bytes.subarray(25, -32)), decipher.final()]);
  return { plaintext, timestamp: bytes.readBigUInt64BE(1), iv };
}

export function flipped(value: Buffer, at: number): Buffer {
  const copy = Buffer.from(value);
  // Another digit of the same alphabet, whatever it was and whichever that is: in hex "A" would be an "a" again.
  copy[at] = copy[at] === 0x30 ? 0x31 : 0x30;
  return copy;
}

export function reencrypt(
  reencryptor: Reencryptor,
  values: readonly (Buffer | null)[],
  associated: readonly Buffer[] | null = null,
): ReencryptedPage {
  return reencryptor.reencrypt({ values, associated });
}
