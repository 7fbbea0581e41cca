import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gcmReader } from '../../src/ciphers/gcm-reader.js';
import { gcmReencryptor } from '../../src/ciphers/gcm-reencryptor.js';
import { keyId } from '../../src/ciphers/key-material.js';
import { openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import { gcmFormat, type GcmFormat } from '../../src/domain/specs/ciphertext.js';
import { flipped, reencrypt } from './support.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** AES-256 with a 96 bit iv: test cases 13 to 16 of the GCM specification that NIST took over (McGrew and Viega, appendix B). */
const P =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39';
const C =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662';
const FEFF = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
const VECTORS = [
  {
    key: '00'.repeat(32),
    iv: '00'.repeat(12),
    plaintext: '',
    aad: '',
    ciphertext: '',
    tag: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    key: '00'.repeat(32),
    iv: '00'.repeat(12),
    plaintext: '00'.repeat(16),
    aad: '',
    ciphertext: 'cea7403d4d606b6e074ec5d3baf39d18',
    tag: 'd0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    key: FEFF,
    iv: 'cafebabefacedbaddecaf888',
    plaintext: `${P}1aafd255`,
    aad: '',
    ciphertext: `${C}898015ad`,
    tag: 'b094dac5d93471bdec1a502270e3cc6c',
  },
  {
    key: FEFF,
    iv: 'cafebabefacedbaddecaf888',
    plaintext: P,
    aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    ciphertext: C,
    tag: '76fc6ece0f4e1768cddf8853bb2d551b',
  },
];

const packed = gcmFormat.parse({ cipher: 'aes-256-gcm' });
const old = randomBytes(32);
const next = randomBytes(32);
const other = randomBytes(32);

describe('the test cases of the GCM specification', () => {
  test.each(VECTORS)(
    'tag $tag reads under its key, and is carried over',
    ({ key, iv, plaintext, aad, ciphertext, tag }) => {
      const value = Buffer.from(iv + tag + ciphertext);
      const associated = hex(aad);
      expect(gcmReader(packed, hex(key)).reads(value, associated)).toBe(true);
      expect(gcmReader(packed, other).reads(value, associated)).toBe(false);
      const page = reencrypt(gcmReencryptor(packed, { from: hex(key), to: next }), [value], [associated]);
      expect(page.states).toEqual(['old']);
      expect(openPacked(next, page.fresh[0]!, associated).toString('hex')).toBe(plaintext);
      const back = reencrypt(gcmReencryptor(packed, { from: next, to: hex(key) }), [value], [associated]);
      expect(back.states).toEqual(['new']);
    },
  );
});

function openPacked(key: Buffer, value: Buffer, associated: Buffer): Buffer {
  const bytes = hex(value.toString());
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28)).setAAD(associated);
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
}

/** As an application writes it, apart from the code under test. */
function seal(format: GcmFormat, key: Buffer, plaintext: Buffer, associated: Buffer | null, pad = true): Buffer {
  const iv = randomBytes(format.ivLength);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  if (associated) cipher.setAAD(associated);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const parts = { iv, ciphertext, tag: cipher.getAuthTag() };
  const write = (part: Buffer): Buffer => {
    if (format.encoding === 'binary') return part;
    const text = part.toString(format.encoding).replace(/=+$/, '');
    const filled = pad && format.encoding !== 'hex' ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text;
    return Buffer.from(filled);
  };
  const inOrder = format.layout.map((part) => parts[part]);
  const prefix = Buffer.from(format.prefix.replace('${key.id}', keyId(key)));
  if (format.separator === undefined) return Buffer.concat([prefix, write(Buffer.concat(inOrder))]);
  return Buffer.concat([prefix, Buffer.from(inOrder.map((part) => write(part).toString()).join(format.separator))]);
}

const formats = fc
  .record({
    layout: fc.shuffledSubarray(['iv', 'tag', 'ciphertext'] as const, { minLength: 3 }),
    encoding: fc.constantFrom('hex', 'base64', 'base64url', 'binary'),
    separator: fc.constantFrom(undefined, ':', '.', '$', '::', '§'),
    prefix: fc.constantFrom('', 'v1:', '${key.id}.', 'enc:${key.id}:'),
    ivLength: fc.constantFrom(12, 16),
  })
  .filter(({ encoding, separator }) => encoding !== 'binary' || separator === undefined)
  .map(({ separator, ...rest }) =>
    gcmFormat.parse({ cipher: 'aes-256-gcm', ...rest, ...(separator === undefined ? {} : { separator }) }),
  );

test('in every layout the plaintext is the same afterwards, in the same form, and reads under the new key alone', () => {
  const rows = fc.array(fc.tuple(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 20 })), { maxLength: 6 });
  fc.assert(
    fc.property(formats, rows, fc.boolean(), fc.boolean(), (format, all, withAssociated, pad) => {
      const associated = withAssociated ? all.map(([, bytes]) => Buffer.from(bytes)) : null;
      const values = all.map(([plain], row) => seal(format, old, Buffer.from(plain), associated?.[row] ?? null, pad));
      const { states, fresh } = reencrypt(openReencryptor(format, { from: old, to: next }), values, associated);
      values.forEach((value, row) => {
        const covered = associated?.[row] ?? null;
        expect(states[row]).toBe('old');
        expect(fresh[row]!.length).toBe(value.length);
        expect(openReader(format, old).reads(value, covered)).toBe(true);
        expect(openReader(format, next).reads(fresh[row]!, covered)).toBe(true);
        expect(openReader(format, old).reads(fresh[row]!, covered)).toBe(false);
      });
      // Back again: what an application would write and what stands there differ in the iv only.
      const back = reencrypt(openReencryptor(format, { from: next, to: old }), fresh, associated);
      back.fresh.forEach((value, row) => {
        expect(openReader(format, old).reads(value!, associated?.[row] ?? null)).toBe(true);
      });
    }),
    { numRuns: 300 },
  );
});

test('a page of everything has the right states in the right order', () => {
  const format = gcmFormat.parse({ cipher: 'aes-256-gcm', separator: ':', associatedData: 'row:${row.id}' });
  const row = (index: number): Buffer => Buffer.from(`row:${index}`);
  const values = [
    seal(format, old, Buffer.from('first'), row(0)),
    null,
    seal(format, next, Buffer.from('already new'), row(2)),
    Buffer.alloc(0),
    seal(format, other, Buffer.from('of a key that nobody has'), row(4)),
    flipped(seal(format, old, Buffer.from('a flipped byte'), row(5)), 30),
    seal(format, old, Buffer.from('moved here from another row'), row(1)),
    seal(format, old, Buffer.alloc(0), row(7)),
    Buffer.from('a:b'),
    Buffer.from('::'),
  ];
  const page = reencrypt(
    gcmReencryptor(format, { from: old, to: next }),
    values,
    values.map((_, index) => row(index)),
  );
  expect(page.states).toEqual([
    'old',
    'empty',
    'new',
    'empty',
    'unreadable',
    'unreadable',
    'unreadable',
    'old',
    'unreadable',
    'unreadable',
  ]);
  expect(page.fresh.map((value) => value !== null)).toEqual(page.states.map((state) => state === 'old'));
});

test('every iv is new', () => {
  const values = Array.from({ length: 300 }, () => seal(packed, old, Buffer.from('the same'), null));
  const { fresh } = reencrypt(gcmReencryptor(packed, { from: old, to: next }), values);
  expect(new Set(fresh.map((value) => value!.subarray(0, 24).toString())).size).toBe(300);
});

test('reader and reencryptor agree on every damaged value', () => {
  const format = gcmFormat.parse({ cipher: 'aes-256-gcm', encoding: 'base64', prefix: 'v1:' });
  const value = seal(format, old, Buffer.from('some integration’s key'), null);
  const reencryptor = gcmReencryptor(format, { from: old, to: next });
  fc.assert(
    fc.property(fc.nat(value.length - 1), fc.nat(255), fc.nat(3), (at, byte, cut) => {
      const damaged = Buffer.from(value);
      damaged[at] = byte;
      const shown = damaged.subarray(0, damaged.length - cut);
      const { states } = reencrypt(reencryptor, [shown, value]);
      expect(states).toEqual([gcmReader(format, old).reads(shown, null) ? 'old' : 'unreadable', 'old']);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['base64url', '-'],
  ['base64', '+'],
  ['hex', 'a'],
  ['binary', ':'],
])('%s separated by "%s" is refused: the one may stand within the other', (encoding, separator) => {
  const format = gcmFormat.parse({ cipher: 'aes-256-gcm', encoding, separator });
  expect(() => openReencryptor(format, { from: old, to: next })).toThrow(/separator/);
  expect(() => openReader(format, old)).toThrow(/separator/);
});
