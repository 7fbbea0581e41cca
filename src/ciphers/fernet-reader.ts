/**
 * One Fernet token under one key, step by step as the specification has it ("Verifying", version 0x80). Shares nothing with the
 * reencryptor on purpose: it is what the reencryptor's work is verified with. A stored value has no time to live, so the token's
 * age is not looked at.
 */
import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { Reader } from './cipher.js';

const TOKEN = /^[A-Za-z0-9_-]+={0,2}$/;

/** @param key 32 bytes: 16 to sign with, 16 to encrypt with. */
export function fernetReader(key: Buffer): Reader {
  const signing = key.subarray(0, 16);
  const encryption = key.subarray(16, 32);
  return {
    reads(value) {
      const text = value.toString('latin1');
      if (text.length % 4 !== 0 || !TOKEN.test(text)) return false;
      const token = Buffer.from(text, 'base64url');
      if (token.toString('base64url') !== text.replace(/=+$/, '')) return false;
      if (token[0] !== 0x80 || token.length < 73 || (token.length - 57) % 16 !== 0) return false;
      const mac = createHmac('sha256', signing).update(token.subarray(0, -32)).digest();
      if (!timingSafeEqual(mac, token.subarray(-32))) return false;
      const decipher = createDecipheriv('aes-128-cbc', encryption, token.subarray(9, 25));
      try {
        decipher.update(token.subarray(25, -32));
        decipher.final();
        return true;
      } catch {
        // The padding is wrong, though the token is signed.
        return false;
      }
    },
  };
}
