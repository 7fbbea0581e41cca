/**
 * A text as it may have been written before somebody escaped, encoded or wrapped it, and where each of its characters stands in the
 * original. White space is left out, since lines are broken anywhere. One pass, whatever the text.
 */
export interface Reading {
  readonly text: string;
  /** Of each character: where what it was written as begins and ends in the original. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  sol: '/',
  plus: '+',
  equals: '=',
  num: '#',
  percnt: '%',
  colon: ':',
  commat: '@',
  excl: '!',
  dollar: '$',
};
const ESCAPES: Readonly<Record<string, string>> = { n: '', r: '', t: '', b: '', f: '', v: '' };

/** Without white space, as it stands. */
export function asWritten(text: string): Reading {
  return read(text, false);
}

/** Without white space, and one level of backslashes, percent signs and HTML entities undone. */
export function decoded(text: string): Reading {
  return read(text, true);
}

/** The second reading of a reading: its places are those in the first one's original. */
export function within(outer: Reading, inner: Reading): Reading {
  return {
    text: inner.text,
    from: inner.from.map((at) => outer.from[at] ?? 0),
    to: inner.to.map((at) => outer.to[at - 1] ?? 0),
  };
}

function read(text: string, decode: boolean): Reading {
  const parts: string[] = [];
  const from = new Uint32Array(text.length);
  const to = new Uint32Array(text.length);
  let count = 0;
  let plainFrom = 0;
  let at = 0;
  const flush = (): void => {
    if (at > plainFrom) parts.push(text.slice(plainFrom, at));
  };
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || code === 0xa0) {
      flush();
      plainFrom = at += 1;
      continue;
    }
    const found = decode && (code === 0x5c || code === 0x25 || code === 0x26) ? undone(text, at, code) : null;
    if (found === null) {
      from[count] = at;
      to[count] = at + 1;
      count += 1;
      at += 1;
      continue;
    }
    flush();
    const [written, length] = found;
    for (let index = 0; index < written.length; index += 1) {
      from[count] = at;
      to[count] = at + length;
      count += 1;
    }
    parts.push(written);
    plainFrom = at += length;
  }
  flush();
  return { text: parts.join(''), from: from.subarray(0, count), to: to.subarray(0, count) };
}

/** @returns the character that is meant, and the length of how it is written; null: it is what it is. */
function undone(text: string, at: number, code: number): readonly [string, number] | null {
  if (code === 0x5c) return backslash(text, at);
  return code === 0x25 ? percent(text, at) : entity(text, at);
}

function backslash(text: string, at: number): readonly [string, number] | null {
  const next = text[at + 1];
  if (next === undefined) return null;
  const digits = next === 'u' ? 4 : next === 'x' ? 2 : 0;
  if (digits > 0) {
    const value = hex(text, at + 2, digits);
    return value === null ? null : [blank(value) ? '' : String.fromCharCode(value), 2 + digits];
  }
  const code = next.charCodeAt(0);
  // Any other letter or digit stands for itself after a backslash that means something else.
  if (next in ESCAPES) return ['', 2];
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a)
    ? null
    : [blank(code) ? '' : next, 2];
}

/** One character of UTF-8: up to four bytes. */
function percent(text: string, at: number): readonly [string, number] | null {
  const first = hex(text, at + 1, 2);
  if (first === null) return null;
  const more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : -1;
  if (more === -1) return null;
  if (more === 0) return [blank(first) ? '' : String.fromCharCode(first), 3];
  let point = first & (0x3f >> more);
  for (let byte = 1; byte <= more; byte += 1) {
    const value = text[at + 3 * byte] === '%' ? hex(text, at + 3 * byte + 1, 2) : null;
    if (value === null || (value & 0xc0) !== 0x80) return null;
    point = (point << 6) | (value & 0x3f);
  }
  return point > 0x10ffff ? null : [String.fromCodePoint(point), 3 * (more + 1)];
}

function entity(text: string, at: number): readonly [string, number] | null {
  const end = text.slice(at + 1, at + 11).indexOf(';');
  if (end < 1) return null;
  const name = text.slice(at + 1, at + 1 + end);
  const number = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,7}))$/i.exec(name);
  if (!number) return Object.hasOwn(ENTITIES, name) ? [ENTITIES[name] ?? '', end + 2] : null;
  const point = number[1] === undefined ? Number(number[2]) : Number.parseInt(number[1], 16);
  if (point > 0x10ffff) return null;
  return [blank(point) ? '' : String.fromCodePoint(point), end + 2];
}

function hex(text: string, at: number, digits: number): number | null {
  let value = 0;
  for (let index = at; index < at + digits; index += 1) {
    const code = text.charCodeAt(index) | 0x20;
    const digit = code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
    // `| 0x20` leaves digits as they are, and makes digits of the control characters below them.
    if (digit === -1 || Number.isNaN(code) || text.charCodeAt(index) < 0x30) return null;
    value = value * 16 + digit;
  }
  return value;
}

function blank(code: number): boolean {
  return code <= 0x20 || code === 0xa0;
}
