/**
 * HMAC-SHA-256 of one short message after the other under one key, as RFC 2104 defines it: H(K xor opad, H(K xor ipad, text)). SHA-256 is
 * OpenSSL's, by node:crypto's one-shot `hash`. `createHmac` makes a stream and looks its digest up for every message, which costs four
 * times what the hashing costs; two one-shot calls cost half of it. What is written with this is verified with `createHmac`
 * (fernet-reader.ts) before anything is relied on.
 */
import { hash } from 'node:crypto';

/** Bytes: of a block of SHA-256, and of what it gives (FIPS 180-4). */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const [INNER_PAD, OUTER_PAD] = [0x36, 0x5c];

export interface HmacSha256 {
  /** Writes the 32 bytes of the message's code. `into` may hold the message itself. */
  write(message: Buffer, into: Buffer, at: number): void;
}

/** @param key at most 64 bytes: longer ones would have to be hashed first, and none of ours is. */
export function hmacSha256(key: Buffer): HmacSha256 {
  if (key.length > BLOCK_BYTES) throw new RangeError('the key of this HMAC has at most 64 bytes');
  const outer = padded(key, OUTER_PAD, DIGEST_BYTES);
  let inner = padded(key, INNER_PAD, 0);
  return {
    write(message, into, at) {
      // Messages of one length after the other use the same room again.
      if (inner.length !== BLOCK_BYTES + message.length) inner = padded(key, INNER_PAD, message.length);
      inner.set(message, BLOCK_BYTES);
      outer.write(hash('sha256', inner, 'binary'), BLOCK_BYTES, 'latin1');
      into.write(hash('sha256', outer, 'binary'), at, 'latin1');
    },
  };
}

function padded(key: Buffer, pad: number, room: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES + room);
  block.fill(pad, 0, BLOCK_BYTES);
  key.forEach((byte, place) => (block[place] = byte ^ pad));
  return block;
}
