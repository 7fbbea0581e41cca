/** Tokens as text, with keys as an .env has them. */
import { randomBytes } from 'node:crypto';
import { fernetToken, openFernet } from '../../../ciphers/support.js';

export function freshKey(): string {
  return `${randomBytes(32).toString('base64url')}=`;
}

/** @param at seconds since 1970. */
export function sealed(plaintext: string, key: string, at = 1_700_000_000): string {
  return fernetToken(Buffer.from(key, 'base64url'), plaintext, { timestamp: BigInt(at) }).toString();
}

/** @returns null: not under this key. */
export function opened(token: string, key: string): string | null {
  return openFernet(Buffer.from(key, 'base64url'), Buffer.from(token))?.plaintext.toString() ?? null;
}
