/** What a value looks like from outside. Says "encrypted" of some random values too; who asks wants a warning, not a verdict. */

export type Look = 'Fernet tokens' | 'values with a declared prefix' | 'iv, tag and ciphertext' | 'random bytes';

/** Version 0x80 and the upper bytes of a timestamp before the year 2106. */
const FERNET = /^gAAAAA[A-Za-z0-9_-]{92,}={0,2}$/;
const HEX = '[0-9a-f]+|[0-9A-F]+';
const BASE64 = '[A-Za-z0-9+/_-]+={0,2}';
const THREE_PARTS = new RegExp(
  `^(?:[a-z0-9]{1,12}[:.$])?(?:(?:${HEX})([:.$|])(?:${HEX})\\1(?:${HEX})|(?:${BASE64})([:.$|])(?:${BASE64})\\2(?:${BASE64}))$`,
);
const JWT = /^eyJ/;
/** An iv of 12 bytes, a tag of 16 and something to encrypt. */
const SHORTEST_BYTES = 29;
/** MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512 in hex: a digest is as random and is no secret of this kind. */
const DIGESTS = new Set([32, 40, 56, 64, 96, 128]);
/** Bits a character: random hex comes to 3.6 and more at this length, random base64 to 4.6; words and numbers stay below. */
const [RANDOM_HEX, RANDOM_BASE64, RANDOM_BYTES] = [3.4, 4.5, 4.2];

/** @param prefixes what declared columns begin with, `v1:`. @returns null: it looks like nothing encrypted. */
export function lookOf(value: string | Buffer, prefixes: readonly string[]): Look | null {
  if (typeof value !== 'string') return lookOfBytes(value, prefixes);
  if (FERNET.test(value)) return 'Fernet tokens';
  if (prefixes.some((prefix) => value.startsWith(prefix) && value.length > prefix.length + SHORTEST_BYTES)) {
    return 'values with a declared prefix';
  }
  if (JWT.test(value)) return null;
  if (THREE_PARTS.test(value)) {
    const parts = value.split(/[:.$|]/).slice(-3);
    const random = parts.every((part) => part.length >= 2) && entropy(parts.join('')) >= RANDOM_HEX;
    return random && sizesOfGcm(parts) ? 'iv, tag and ciphertext' : null;
  }
  if (/^(?:[0-9a-f]+|[0-9A-F]+)$/.test(value)) {
    const long = value.length >= SHORTEST_BYTES * 2 && value.length % 2 === 0 && !DIGESTS.has(value.length);
    return long && entropy(value) >= RANDOM_HEX ? 'random bytes' : null;
  }
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return null;
  const mixed = /[a-z]/.test(value) && /[A-Z]/.test(value) && /[0-9]/.test(value);
  const long = value.length >= Math.ceil((SHORTEST_BYTES * 4) / 3);
  return mixed && long && entropy(value) >= RANDOM_BASE64 ? 'random bytes' : null;
}

function lookOfBytes(value: Buffer, prefixes: readonly string[]): Look | null {
  const text = value.toString('latin1');
  const printable = /^[\x20-\x7e]+$/.test(text);
  if (printable) return lookOf(text, prefixes);
  return value.length >= SHORTEST_BYTES && entropy(text) >= RANDOM_BYTES ? 'random bytes' : null;
}

/** One part of 12 or 16 bytes and one of 16, in hex or base64. */
function sizesOfGcm(parts: readonly string[]): boolean {
  const hex = parts.every((part) => /^[0-9a-f]+$/i.test(part));
  const bytes = parts.map((part) => (hex ? part.length / 2 : Math.floor((part.replace(/=+$/, '').length * 3) / 4)));
  const tag = bytes.indexOf(16);
  return tag >= 0 && bytes.some((size, index) => index !== tag && (size === 12 || size === 16));
}

/** Shannon's, in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
