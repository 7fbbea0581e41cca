import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fernetReader } from '../../src/ciphers/fernet-reader.js';
import { fernetReencryptor } from '../../src/ciphers/fernet-reencryptor.js';
import { deriveKey } from '../../src/ciphers/key-material.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { fernetText, fernetToken, flipped, openFernet, reencrypt, signed } from './support.js';

/** The Fernet specification's own example (generate.json, verify.json): "hello" at 1985-10-26T01:20:00-07:00, iv 00 to 0f. */
const SPEC = {
  secret: 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=',
  token: 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==',
  timestamp: 499_162_800n,
};
const specKey = deriveKey('fernet', new SecretValue(SPEC.secret));
const iv = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

const old = randomBytes(32);
const next = randomBytes(32);
const other = randomBytes(32);

describe('the specification’s example', () => {
  test('is what is made from its parts', () => {
    expect(fernetToken(specKey, 'hello', { timestamp: SPEC.timestamp, iv }).toString()).toBe(SPEC.token);
  });

  test('reads under its key and under no other', () => {
    expect(fernetReader(specKey).reads(Buffer.from(SPEC.token), null)).toBe(true);
    expect(fernetReader(other).reads(Buffer.from(SPEC.token), null)).toBe(false);
  });

  test('is carried over to another key with its timestamp', () => {
    const page = reencrypt(fernetReencryptor({ from: specKey, to: next }), [Buffer.from(SPEC.token)]);
    expect(page.states).toEqual(['old']);
    expect(openFernet(next, page.fresh[0]!)).toMatchObject({
      plaintext: Buffer.from('hello'),
      timestamp: SPEC.timestamp,
    });
  });
});

/** What the specification's invalid.json has (but for time to live and clock skew, which a stored value has not), and more. */
const valid = fernetToken(old, 'hello', { timestamp: 1n, iv });
const bytes = Buffer.from(valid.toString(), 'base64url');
const INVALID: [string, Buffer][] = [
  ['incorrect mac', fernetText(Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]))],
  ['too short', fernetText(bytes.subarray(0, 32))],
  ['too short, though signed', signed(old, bytes.subarray(0, 25))],
  ['invalid base64', Buffer.concat([Buffer.from('%%%%'), valid.subarray(4)])],
  ['payload size not multiple of block size', signed(old, bytes.subarray(0, -33))],
  ['payload padding error', fernetToken(old, '', { blocks: Buffer.alloc(16) })],
  ['padding longer than a block', fernetToken(old, '', { blocks: Buffer.alloc(16, 17) })],
  ['padding that is not all the same', fernetToken(old, '', { blocks: Buffer.from('aaaaaaaaaaaaaa\x01\x02') })],
  [
    'incorrect IV (causes padding error)',
    signed(old, Buffer.concat([bytes.subarray(0, 9), Buffer.alloc(16, 0x75), bytes.subarray(25, -32)])),
  ],
  ['another version', fernetToken(old, 'hello', { version: 0x81 })],
  ['another version, byte swapped only', fernetText(Buffer.concat([Buffer.from([0]), bytes.subarray(1)]))],
  ['without its padding', Buffer.from(bytes.toString('base64url'))],
  ['with a line break at its end', Buffer.concat([valid, Buffer.from('\n')])],
  ['with four line breaks within', Buffer.concat([valid.subarray(0, 40), Buffer.from('\n\n\n\n'), valid.subarray(40)])],
  ['with "=" within', Buffer.concat([valid.subarray(0, 40), Buffer.from('===='), valid.subarray(40)])],
  [
    'in standard base64',
    Buffer.from(fernetToken(old, 'x'.repeat(600)).toString().replaceAll('-', '+').replaceAll('_', '/')),
  ],
  [
    'bits beyond its bytes',
    Buffer.from(valid.toString().replace(/.==$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}==`)),
  ],
  ['bytes outside ASCII', Buffer.concat([Buffer.from([0xff, 0xfe, 0xc3, 0xa4]), valid.subarray(4)])],
  ['two tokens in a row', Buffer.concat([fernetToken(old, 'x'.repeat(32)), fernetToken(old, 'x')])],
  ['words', Buffer.from('not encrypted at all')],
];

describe('no token, and so neither read nor touched:', () => {
  test.each(INVALID)('%s', (_what, value) => {
    expect(fernetReader(old).reads(value, null)).toBe(false);
    const { states, fresh } = reencrypt(fernetReencryptor({ from: old, to: next }), [value]);
    expect({ states, fresh }).toEqual({ states: ['unreadable'], fresh: [null] });
  });

  test('nothing at all', () => {
    expect(fernetReader(old).reads(Buffer.alloc(0), null)).toBe(false);
  });

  test('none of them does anything to its neighbours in a page', () => {
    const good = INVALID.map((_, index) => fernetToken(old, `neighbour ${index}`));
    const mixed = INVALID.flatMap(([, value], index) => [value, good[index]!]);
    const { states, fresh } = reencrypt(fernetReencryptor({ from: old, to: next }), mixed);
    expect(states).toEqual(INVALID.flatMap(() => ['unreadable', 'old']));
    fresh.forEach((value, row) => {
      if (row % 2 === 0) expect(value).toBeNull();
      else expect(openFernet(next, value!)!.plaintext.toString()).toBe(`neighbour ${(row - 1) / 2}`);
    });
  });
});

test('a page of everything has the right states in the right order, and a second pass finds nothing to do', () => {
  const values = [
    fernetToken(old, 'first'),
    null,
    fernetToken(next, 'already new'),
    Buffer.alloc(0),
    fernetToken(other, 'of a key that nobody has'),
    flipped(fernetToken(old, 'a flipped byte'), 50),
    fernetToken(old, ''),
    fernetToken(old, randomBytes(4_000)),
  ];
  const reencryptor = fernetReencryptor({ from: old, to: next });
  const first = reencrypt(reencryptor, values);
  expect(first.states).toEqual(['old', 'empty', 'new', 'empty', 'unreadable', 'unreadable', 'old', 'old']);
  expect(first.fresh.map((value) => value !== null)).toEqual(first.states.map((state) => state === 'old'));
  const after = values.map((value, row) => first.fresh[row] ?? value);
  const second = reencrypt(reencryptor, after);
  expect(second.states).toEqual(['new', 'empty', 'new', 'empty', 'unreadable', 'unreadable', 'new', 'new']);
  expect(second.fresh).toEqual(values.map(() => null));
  expect(reencrypt(reencryptor, values).states).toEqual(first.states);
});

test('every iv is new, also where plaintexts are equal', () => {
  const values = Array.from({ length: 300 }, () => fernetToken(old, 'the same', { iv }));
  const { fresh } = reencrypt(fernetReencryptor({ from: old, to: next }), values);
  const ivs = new Set(fresh.map((value) => openFernet(next, value!)!.iv.toString('hex')));
  expect(ivs.size).toBe(300);
  expect(new Set(fresh.map((value) => value!.toString())).size).toBe(300);
});

test('an empty page is an empty page', () => {
  expect(reencrypt(fernetReencryptor({ from: old, to: next }), [])).toEqual({ states: [], fresh: [] });
});

const plaintexts = fc.array(fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })));

test('whatever is encrypted is the same afterwards, with its timestamp, and reads under the new key alone', () => {
  fc.assert(
    fc.property(plaintexts, (all) => {
      const values = all.map(([plaintext, timestamp]) => fernetToken(old, Buffer.from(plaintext), { timestamp }));
      const { states, fresh } = reencrypt(fernetReencryptor({ from: old, to: next }), values);
      all.forEach(([plaintext, timestamp], row) => {
        expect(states[row]).toBe('old');
        expect(openFernet(next, fresh[row]!)).toMatchObject({ plaintext: Buffer.from(plaintext), timestamp });
        expect(fresh[row]!.length).toBe(values[row]!.length);
        expect(fernetReader(next).reads(fresh[row]!, null)).toBe(true);
        expect(fernetReader(old).reads(fresh[row]!, null)).toBe(false);
      });
    }),
  );
});

test('reencryptor and reader agree on every damaged token', () => {
  const token = fernetToken(old, 'some credential of an arena');
  const reencryptor = fernetReencryptor({ from: old, to: next });
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.nat(255), fc.nat(4), fc.nat(4), (at, byte, cutFront, cutEnd) => {
      const damaged = Buffer.from(token);
      damaged[at] = byte;
      const value = damaged.subarray(cutFront, damaged.length - cutEnd);
      const state = reencrypt(reencryptor, [value, token]).states;
      expect(state).toEqual([fernetReader(old).reads(value, null) ? 'old' : 'unreadable', 'old']);
    }),
    { numRuns: 1_000 },
  );
});
