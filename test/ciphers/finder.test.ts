import { createCipheriv, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Finder } from '../../src/ciphers/finder.js';
import { openFinder } from '../../src/ciphers/open-cipher.js';
import { writeGcm, prefixOf } from '../../src/ciphers/gcm-layout.js';
import { gcmFormat, type GcmFormat } from '../../src/domain/specs/ciphertext.js';
import { fernetToken } from './support.js';

const [key, other] = [randomBytes(32), randomBytes(32)];
const FERNET = { cipher: 'fernet' } as const;
const gcm = (more: object): GcmFormat => gcmFormat.parse({ cipher: 'aes-256-gcm', ...more });
const hitsIn = (finder: Finder, field: Buffer | string, row: Record<string, string> = {}) =>
  finder.find({ field: Buffer.from(field), row: new Map(Object.entries(row)) });

function sealed(format: GcmFormat, plaintext: string, associated = '', by = key, padded = true): string {
  const iv = randomBytes(format.ivLength);
  const cipher = createCipheriv('aes-256-gcm', by, iv).setAAD(Buffer.from(associated));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return writeGcm(format, prefixOf(format, by), { iv, tag: cipher.getAuthTag(), ciphertext }, padded).toString(
    'latin1',
  );
}

const tokenUnder = (by: Buffer, text = 'a credential'): string => fernetToken(by, text).toString();

test.each<[string, (token: string) => string | Buffer, number]>([
  ['alone', (token) => token, 1],
  ['in a sentence', (token) => `see ${token}, says Ana`, 1],
  ['in a document', (token) => JSON.stringify({ was: { enc: token, id: 7 } }), 1],
  ['in a URL', (token) => `https://x.test/?t=${encodeURIComponent(token)}&u=1`, 1],
  ['without its padding', (token) => token.replace(/=+$/, ''), 1],
  ['with base64 directly before and behind it', (token) => `abc${token.replace(/=+$/, '')}AAxyz`, 1],
  ['twice, one directly behind the other', (token) => `${token}${token}`, 2],
  ['of a megabyte', (token) => `x ${token}`, 1],
  ['as bytes', (token) => Buffer.from(token, 'base64url'), 1],
  ['behind a false beginning', (token) => `gAAAgAAAAA${token}`, 1],
  ['with a character changed', (token) => `${token.slice(0, 60)}${token[60] === 'x' ? 'y' : 'x'}${token.slice(61)}`, 0],
])('a Fernet token is found %s', (shape, written, hits) => {
  const finder = openFinder(FERNET, key);
  for (const text of ['x', 'sixteen letters!', 'a'.repeat(1000), 'a'.repeat(shape === 'of a megabyte' ? 700_000 : 17)])
    expect(hitsIn(finder, written(tokenUnder(key, text)))).toEqual({ hits, undecided: 0 });
  expect(hitsIn(finder, written(tokenUnder(other)))).toEqual({ hits: 0, undecided: 0 });
});

const FORMATS: readonly [string, object][] = [
  ['hex with separators', { separator: ':' }],
  ['hex, packed', {}],
  ['base64, packed', { encoding: 'base64' }],
  ['base64url, packed, ciphertext first', { encoding: 'base64url', layout: ['ciphertext', 'tag', 'iv'] }],
  ['base64 with separators, long iv', { encoding: 'base64', separator: '.', ivLength: 16 }],
  ['ciphertext before the others', { separator: '$', layout: ['ciphertext', 'iv', 'tag'] }],
  ['a prefix', { separator: ':', prefix: 'v1:' }],
  ['a prefix with the key in it, packed', { encoding: 'base64', prefix: 'enc.${key.id}.' }],
];

test.each(FORMATS)('a value of AES-256-GCM is found within other text: %s', (_, more) => {
  const format = gcm(more);
  const finder = openFinder(format, key);
  for (const text of ['', 'x', 'a credential of some length']) {
    const value = sealed(format, text);
    for (const field of [value, `see ${value}, says Ana`, JSON.stringify([{ enc: value }]).replaceAll('/', '\\/')]) {
      expect(hitsIn(finder, field)).toEqual({ hits: 1, undecided: 0 });
    }
    expect(hitsIn(finder, `see ${sealed(format, text, '', other)}`)).toEqual({ hits: 0, undecided: 0 });
    expect(Buffer.byteLength(value)).toBeGreaterThanOrEqual(finder.shortest);
  }
});

test('bytes are found as the whole of a field', () => {
  const format = gcm({ encoding: 'binary' });
  const value = Buffer.from(sealed(format, 'text'), 'latin1');
  expect(hitsIn(openFinder(format, key), value)).toEqual({ hits: 1, undecided: 0 });
  expect(hitsIn(openFinder(format, other), value)).toEqual({ hits: 0, undecided: 0 });
});

test('a copy away from the row with which it was authenticated is found by what it says; a short one is left open', () => {
  const format = gcm({ separator: ':', associatedData: 'app:${row.id}' });
  const finder = openFinder(format, key);
  expect(hitsIn(finder, sealed(format, 'x', 'app:7'), { id: '7' })).toEqual({ hits: 1, undecided: 0 });
  expect(hitsIn(finder, sealed(format, 'a credential of some length', 'app:7'))).toEqual({ hits: 1, undecided: 0 });
  expect(hitsIn(finder, sealed(format, 'short', 'app:7'))).toEqual({ hits: 0, undecided: 1 });
  expect(hitsIn(finder, sealed(format, 'a credential of some length', 'app:7', other))).toEqual({
    hits: 0,
    undecided: 0,
  });
});

test('a long field of any awkward shape does not hold the thread for long', () => {
  const finders = [
    FERNET,
    ...FORMATS.map(([, more]) => gcm(more)),
    gcm({ separator: ':', associatedData: '${row.id}' }),
  ];
  const shapes = ['gAAA', 'gAAAA-', 'a', 'a:', ':', 'v1:', `${'ab'.repeat(12)}:`, 'AbC9+/', '='];
  for (const format of finders) {
    for (const shape of shapes) {
      const started = performance.now();
      const { hits } = hitsIn(openFinder(format, key), shape.repeat(250_000 / shape.length));
      expect(hits).toBe(0);
      expect(performance.now() - started, `${JSON.stringify(format)} ${shape}`).toBeLessThan(5_000);
    }
  }
}, 60_000);
