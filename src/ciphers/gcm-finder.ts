/**
 * AES-256-GCM values within longer text. Nothing marks one but a prefix, so every run of characters that fits the format is tried with
 * the key. What a value was authenticated with may be unknown where a copy of it stands: then it counts as found when it decrypts
 * to text, which random bytes do not.
 */
import { createDecipheriv } from 'node:crypto';
import type { GcmFormat } from '../domain/specs/ciphertext.js';
import { addFound, NOTHING_FOUND, textOf, type Finder, type Found, type Sought } from './finder.js';
import { parseGcm, prefixOf, TAG_BYTES } from './gcm-layout.js';
import { gcmReader } from './gcm-reader.js';

type Digits = Exclude<GcmFormat['encoding'], 'binary'>;

const DIGITS: Readonly<Record<Digits, string>> = { hex: '0-9a-fA-F', base64: 'A-Za-z0-9+/', base64url: 'A-Za-z0-9_-' };
/** Random bytes come out as text of this length once in ten million times. */
const TELLING_BYTES = 16;
/** One value may be as long as a field; of shorter ones that are tried in vain a field has so many at most. */
const TRIES = 100_000;

/** @param key 32 bytes. */
export function gcmFinder(format: GcmFormat, key: Buffer): Finder {
  const prefix = prefixOf(format, key);
  const mark = prefix.length > 0 ? prefix.toString('utf8') : null;
  const names = [...(format.associatedData ?? '').matchAll(/\$\{row\.([^}]+)\}/g)].map((match) => match[1] ?? '');
  const judge = judgeOf(format, key, prefix);
  return {
    mark: format.encoding === 'binary' ? null : mark,
    shortest: shortestOf(format) + prefix.length,
    firstByte: null,
    associated: [...new Set(names)],
    find(sought) {
      const { field } = sought;
      if (format.encoding === 'binary') return judge(field, sought);
      const whole = judge(field, sought);
      if (whole.hits > 0 || (mark !== null && !field.includes(prefix))) return whole;
      let found = NOTHING_FOUND;
      let tries = 0;
      for (const candidate of candidatesIn(textOf(field), format, prefix.toString('latin1'))) {
        tries += 1;
        if (tries > TRIES) return addFound(found, { hits: 0, undecided: 1 });
        found = addFound(found, judge(Buffer.from(candidate, 'latin1'), sought));
      }
      return found;
    },
  };
}

function shortestOf({ ivLength, encoding, separator }: GcmFormat): number {
  const bytes = ivLength + TAG_BYTES;
  const between = 2 * Buffer.byteLength(separator ?? '');
  if (encoding === 'binary') return bytes;
  return between + (encoding === 'hex' ? bytes * 2 : Math.floor((bytes * 4) / 3));
}

/** Tries one value, prefix included. */
function judgeOf(format: GcmFormat, key: Buffer, prefix: Buffer): (value: Buffer, sought: Sought) => Found {
  const reader = gcmReader(format, key);
  const { associatedData } = format;
  return (value, { row }) => {
    const parsed = value.subarray(0, prefix.length).equals(prefix)
      ? parseGcm(format, value.subarray(prefix.length))
      : null;
    if (parsed === null) return NOTHING_FOUND;
    if (reader.reads(value, null)) return { hits: 1, undecided: 0 };
    if (associatedData === undefined) return NOTHING_FOUND;
    const associated = associatedData.replace(/\$\{row\.([^}]+)\}/g, (_, name: string) => row.get(name) ?? '');
    if (reader.reads(value, Buffer.from(associated))) return { hits: 1, undecided: 0 };
    const plaintext = createDecipheriv('aes-256-gcm', key, parsed.iv, { authTagLength: TAG_BYTES }).update(
      parsed.ciphertext,
    );
    const text = isText(plaintext);
    const telling = plaintext.length >= TELLING_BYTES;
    plaintext.fill(0);
    if (!text) return NOTHING_FOUND;
    return telling ? { hits: 1, undecided: 0 } : { hits: 0, undecided: 1 };
  };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function isText(bytes: Buffer): boolean {
  if (bytes.length === 0) return false;
  try {
    return !/[\p{Cc}\p{Cn}\p{Co}]/u.test(UTF8.decode(bytes).replace(/[\t\r\n]/g, ''));
  } catch {
    return false;
  }
}

/** Texts that may be a value, each with its prefix. Linear in the text. */
function* candidatesIn(text: string, format: GcmFormat, prefix: string): Generator<string> {
  const { encoding } = format;
  if (encoding === 'binary') return;
  for (const run of prefix === '' ? [text] : text.split(prefix).slice(1)) {
    const candidates = format.separator === undefined ? packedIn : separatedIn;
    for (const candidate of candidates(run, format, encoding, prefix !== '')) yield `${prefix}${candidate}`;
  }
}

/** Runs of digits; and without a digit at the end, where one of something else stands directly beside it. */
function* packedIn(text: string, format: GcmFormat, encoding: Digits, fromStart: boolean): Generator<string> {
  const run = new RegExp(`[${DIGITS[encoding]}]{${shortestOf(format)},}={0,2}`, fromStart ? 'gy' : 'g');
  for (const [found] of text.matchAll(run)) {
    yield found;
    yield found.replace(/=*$/, '').slice(0, -1);
    if (!fromStart) yield found.slice(1);
  }
}

/** Three parts next to each other: the middle one nothing but digits, of the outer ones the digits that touch it. */
function* separatedIn(text: string, format: GcmFormat, encoding: Digits): Generator<string> {
  const separator = Buffer.from(format.separator ?? '').toString('latin1');
  const pieces = text.split(separator);
  const [first = 'iv', , last = 'ciphertext'] = format.layout;
  const middle = new RegExp(`^[${DIGITS[encoding]}]*={0,2}$`);
  for (let place = 1; place + 1 < pieces.length; place += 1) {
    const [before = '', between = '', after = ''] = pieces.slice(place - 1, place + 2);
    if (!middle.test(between)) continue;
    const ending = leading(after, encoding, sizeOf(last, format));
    yield [trailing(before, encoding, sizeOf(first, format)), between, ending].join(separator);
    if (encoding === 'hex' && ending.length % 2 === 1)
      yield [trailing(before, encoding, sizeOf(first, format)), between, ending.slice(0, -1)].join(separator);
  }
}

/** In bytes; null: as many as there are. */
function sizeOf(part: GcmFormat['layout'][number], { ivLength }: GcmFormat): number | null {
  return { iv: ivLength, tag: TAG_BYTES, ciphertext: null }[part];
}

function digitsOf(bytes: number | null, encoding: Digits): string {
  if (bytes === null) return '*';
  return `{0,${encoding === 'hex' ? bytes * 2 : Math.ceil((bytes * 4) / 3)}}`;
}

function leading(text: string, encoding: Digits, size: number | null): string {
  return new RegExp(`^[${DIGITS[encoding]}]${digitsOf(size, encoding)}={0,2}`).exec(text)?.[0] ?? '';
}

/** Read backwards: a pattern that looks for the end would begin at every place of a long text. */
function trailing(text: string, encoding: Digits, size: number | null): string {
  const digit = new RegExp(`[${DIGITS[encoding]}]`);
  const padding = /={0,2}$/.exec(text.slice(-2))?.[0].length ?? 0;
  const most = size === null ? Infinity : encoding === 'hex' ? size * 2 : Math.ceil((size * 4) / 3);
  let start = text.length - padding;
  for (let taken = 0; taken < most && digit.test(text[start - 1] ?? ''); taken += 1) start -= 1;
  return text.slice(start);
}
