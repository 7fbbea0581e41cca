/**
 * A page of Fernet tokens from one key to the next. What a call of node:crypto costs by itself is most of what a small value costs,
 * so AES is called once a page in each direction:
 *
 * - CBC decrypts a block with nothing but the block before it. Decrypting `iv | ciphertext` of all tokens as one stream gives every
 *   plaintext; the blocks at the places of the ivs come out as noise.
 * - CBC encrypts each block mixed with the ciphertext before it. In a stream where a fresh random block precedes every plaintext,
 *   that block's ciphertext is the iv of what follows: random, and known to nobody beforehand.
 *
 * A token keeps its timestamp: it says when the credential was stored, and a rotation does not change that.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import type { Page, ReencryptedPage, Reencryptor, ValueState } from './cipher.js';
import {
  BLOCK_BYTES,
  decodeTokens,
  encodeTokens,
  HEADER_BYTES,
  MAC_BYTES,
  newWorkspace,
  roomFor,
  type Tokens,
} from './fernet-tokens.js';
import { hmacSha256, type HmacSha256 } from './hmac-sha256.js';

const CIPHER = 'aes-128-cbc';

interface FernetKey {
  readonly signing: HmacSha256;
  readonly encryption: KeyObject;
}

/** @param keys each 32 bytes: 16 to sign with, 16 to encrypt with. */
export function fernetReencryptor(keys: { readonly from: Buffer; readonly to: Buffer }): Reencryptor {
  const from = fernetKey(keys.from);
  const to = fernetKey(keys.to);
  const workspace = newWorkspace();
  /** Which key is tried first: the one that signed most of the page before. In a second sweep that is the new one. */
  let likely: 'old' | 'new' = 'old';

  return {
    reencrypt({ values }: Page): ReencryptedPage {
      const states = values.map((value): ValueState => (value === null || value.length === 0 ? 'empty' : 'unreadable'));
      const fresh = values.map((): Buffer | null => null);
      const tokens = decodeTokens(values, workspace);
      const [first, second] = likely === 'old' ? (['old', 'new'] as const) : (['new', 'old'] as const);
      const signers = { old: from.signing, new: to.signing };
      const all = tokens.rows.map((_, index) => index);
      const byFirst = authentic(tokens, all, signers[first]);
      const rest = byFirst.length === all.length ? [] : without(all, byFirst);
      const bySecond = authentic(tokens, rest, signers[second]);
      for (const index of byFirst) states[tokens.rows[index] ?? 0] = first;
      for (const index of bySecond) states[tokens.rows[index] ?? 0] = second;
      if (bySecond.length > byFirst.length) likely = second;
      const old = first === 'old' ? byFirst : bySecond;
      if (old.length === 0) return { states, fresh };
      const { readable, written } = carryOver(tokens, old, from, to);
      old.forEach((index, place) => {
        const row = tokens.rows[index] ?? 0;
        if (readable[place] === true) fresh[row] = written[place] ?? null;
        else states[row] = 'unreadable';
      });
      return { states, fresh };
    },
  };
}

function fernetKey(key: Buffer): FernetKey {
  return { signing: hmacSha256(key.subarray(0, 16)), encryption: createSecretKey(key.subarray(16, 32)) };
}

/** Those of the chosen tokens that were signed with this key. In constant time, for a page whose tokens all were in one comparison. */
function authentic(
  { bytes, starts, lengths }: Tokens,
  chosen: readonly number[],
  signing: HmacSha256,
): readonly number[] {
  const found = Buffer.allocUnsafe(chosen.length * MAC_BYTES);
  const computed = Buffer.allocUnsafe(chosen.length * MAC_BYTES);
  chosen.forEach((index, place) => {
    const start = starts[index] ?? 0;
    const end = start + (lengths[index] ?? 0) - MAC_BYTES;
    bytes.copy(found, place * MAC_BYTES, end, end + MAC_BYTES);
    signing.write(bytes.subarray(start, end), computed, place * MAC_BYTES);
  });
  if (timingSafeEqual(found, computed)) return chosen;
  return chosen.filter((_, place) => {
    const [start, end] = [place * MAC_BYTES, (place + 1) * MAC_BYTES];
    return timingSafeEqual(found.subarray(start, end), computed.subarray(start, end));
  });
}

function without(all: readonly number[], some: readonly number[]): number[] {
  const taken = new Set(some);
  return all.filter((index) => !taken.has(index));
}

/**
 * Tokens whose MAC is right, under the new key. One whose padding is wrong although it is signed goes along in the stream and
 * is not used.
 */
function carryOver(
  { bytes, starts, lengths }: Tokens,
  chosen: readonly number[],
  from: FernetKey,
  to: FernetKey,
): { readonly readable: boolean[]; readonly written: Buffer[] } {
  const places = chosen.map((index) => ({ start: starts[index] ?? 0, length: lengths[index] ?? 0 }));
  const blocksOf = (length: number): number => length - HEADER_BYTES - MAC_BYTES;
  const stream = Buffer.allocUnsafe(places.reduce((sum, { length }) => sum + blocksOf(length), 0));
  let at = 0;
  for (const { start, length } of places) {
    at += bytes.copy(stream, at, start + HEADER_BYTES, start + length - MAC_BYTES);
  }
  const decipher = createDecipheriv(CIPHER, from.encryption, Buffer.alloc(BLOCK_BYTES)).setAutoPadding(false);
  const plain = whole(decipher.update(stream), decipher.final());
  const random = randomBytes(BLOCK_BYTES * (places.length + 1));
  const readable: boolean[] = [];
  at = 0;
  places.forEach(({ length }, place) => {
    random.copy(plain, at, place * BLOCK_BYTES, (place + 1) * BLOCK_BYTES);
    at += blocksOf(length);
    readable.push(isPadded(plain, at));
  });
  const cipher = createCipheriv(CIPHER, to.encryption, random.subarray(-BLOCK_BYTES)).setAutoPadding(false);
  const sealed = whole(cipher.update(plain), cipher.final());
  plain.fill(0);
  return { readable, written: sign(bytes, places, sealed, to) };
}

function sign(
  old: Buffer,
  places: readonly { readonly start: number; readonly length: number }[],
  sealed: Buffer,
  to: FernetKey,
): Buffer[] {
  const size = places.reduce((sum, { length }) => sum + roomFor(length), 0);
  // Zeroed: the bits that fill up a token to whole characters are zero.
  const bytes = Buffer.alloc(size);
  const starts: number[] = [];
  let start = 0;
  let at = 0;
  for (const place of places) {
    const end = start + place.length - MAC_BYTES;
    old.copy(bytes, start, place.start, place.start + HEADER_BYTES);
    at += sealed.copy(bytes, start + HEADER_BYTES, at, at + place.length - HEADER_BYTES - MAC_BYTES);
    to.signing.write(bytes.subarray(start, end), bytes, end);
    starts.push(start);
    start += roomFor(place.length);
  }
  return encodeTokens(
    bytes,
    starts,
    places.map(({ length }) => length),
  );
}

/** PKCS #7, of the plaintext that ends at `end`. */
function isPadded(plain: Buffer, end: number): boolean {
  const count = plain[end - 1] ?? 0;
  if (count < 1 || count > BLOCK_BYTES) return false;
  for (let at = end - count; at < end; at += 1) if (plain[at] !== count) return false;
  return true;
}

/** Without padding every block is given out as soon as it is put in; `final` then gives nothing. */
function whole(updated: Buffer, rest: Buffer): Buffer {
  return rest.length === 0 ? updated : Buffer.concat([updated, rest]);
}
