/**
 * Fernet tokens within longer text. A token begins with its version and the upper bytes of a timestamp, `gAAA`; where it ends is
 * not said when other characters of base64 follow. So its MAC is tried at every length that a token can have, by one hash that goes on
 * from length to length.
 */
import { createHash, timingSafeEqual, type Hash } from 'node:crypto';
import { addFound, NOTHING_FOUND, textOf, type Finder, type Found } from './finder.js';

/** Version 0x80, and a timestamp below 2^48: seconds and milliseconds alike. */
const MARK = 'gAAA';
const [VERSION, HEADER_BYTES, BLOCK_BYTES, MAC_BYTES] = [0x80, 25, 16, 32];
/** Version, timestamp, iv, one block, MAC. */
const SHORTEST_BYTES = 73;
const SHORTEST_TEXT = Math.ceil((SHORTEST_BYTES * 4) / 3);
const RUN = /[A-Za-z0-9_-]*/y;
/** MACs tried for one field: a document of 1 MB in which everything begins like a token must not hold the worker. */
const TRIES = 20_000;
/** Hashing so much at once takes about as long as one more step of a hash that goes on. */
const BYTES_A_TRY = 2_048;
/** RFC 2104, for a key shorter than a block of SHA-256. */
const HASH_BLOCK_BYTES = 64;
const [INNER_PAD, OUTER_PAD] = [0x36, 0x5c];

/** @param key 32 bytes: 16 to sign with, 16 to encrypt with. */
export function fernetFinder(key: Buffer): Finder {
  const signing = key.subarray(0, 16);
  const inner = createHash('sha256').update(padded(signing, INNER_PAD));
  const outer = createHash('sha256').update(padded(signing, OUTER_PAD));
  return {
    mark: MARK,
    shortest: SHORTEST_BYTES,
    firstByte: VERSION,
    associated: [],
    find({ field }) {
      const alone = isBareToken(field) && lengthOf(field, inner, outer, { left: TRIES }) === field.length;
      if (alone) return { hits: 1, undecided: 0 };
      return field.includes(MARK) ? within(textOf(field), inner, outer) : NOTHING_FOUND;
    },
  };
}

function padded(key: Buffer, pad: number): Buffer {
  const block = Buffer.alloc(HASH_BLOCK_BYTES, pad);
  key.forEach((byte, place) => (block[place] = byte ^ pad));
  return block;
}

function isBareToken(bytes: Buffer): boolean {
  return bytes[0] === VERSION && bytes.length >= SHORTEST_BYTES && (bytes.length - SHORTEST_BYTES) % BLOCK_BYTES === 0;
}

function within(text: string, inner: Hash, outer: Hash): Found {
  let found = NOTHING_FOUND;
  const tries = { left: TRIES };
  let [at, end] = [text.indexOf(MARK), 0];
  while (at >= 0) {
    if (end <= at) {
      RUN.lastIndex = at;
      end = at + (RUN.exec(text)?.[0].length ?? 0);
    }
    let next = at + 1;
    if (end - at >= SHORTEST_TEXT) {
      const length = lengthOf(Buffer.from(text.slice(at, end), 'base64url'), inner, outer, tries);
      if (tries.left < 0) return addFound(found, { hits: 0, undecided: 1 });
      if (length !== null) {
        found = addFound(found, { hits: 1, undecided: 0 });
        next = at + Math.ceil((length * 4) / 3);
      }
    }
    at = text.indexOf(MARK, next);
  }
  return found;
}

/** @returns how many of the bytes are a token of this key, from the first on; null: there is none. */
function lengthOf(bytes: Buffer, inner: Hash, outer: Hash, tries: { left: number }): number | null {
  const signs = (hash: Hash, end: number): boolean => {
    const mac = outer.copy().update(hash.digest()).digest();
    return timingSafeEqual(mac, bytes.subarray(end, end + MAC_BYTES));
  };
  // First up to where the characters end: nearly every token stands by itself, and a long one costs no more than its bytes.
  tries.left -= Math.ceil(bytes.length / BYTES_A_TRY);
  if (tries.left < 0) return null;
  const last = bytes.length - MAC_BYTES;
  if (isBareToken(bytes) && signs(inner.copy().update(bytes.subarray(0, last)), last)) return bytes.length;
  const hash = inner.copy().update(bytes.subarray(0, HEADER_BYTES));
  for (let end = HEADER_BYTES + BLOCK_BYTES; end + MAC_BYTES <= bytes.length; end += BLOCK_BYTES) {
    tries.left -= 1;
    if (tries.left < 0) return null;
    hash.update(bytes.subarray(end - BLOCK_BYTES, end));
    if (signs(hash.copy(), end)) return end + MAC_BYTES;
  }
  return null;
}
