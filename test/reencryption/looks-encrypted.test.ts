import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { lookOf, type Look } from '../../src/reencryption/looks-encrypted.js';
import { fernetToken } from '../ciphers/support.js';

const bytes = randomBytes(92);
const hex = (buffer: Buffer): string => buffer.toString('hex');

test.each<[string, string | Buffer, Look]>([
  ['a Fernet token', fernetToken(randomBytes(32), 'x').toString(), 'Fernet tokens'],
  ['a Fernet token in bytes', fernetToken(randomBytes(32), 'x'), 'Fernet tokens'],
  ['iv:tag:ciphertext in hex', [12, 16, 40].map((size) => hex(randomBytes(size))).join(':'), 'iv, tag and ciphertext'],
  [
    'iv of 16 bytes, ciphertext before the tag',
    [16, 9, 16].map((size) => hex(randomBytes(size))).join('.'),
    'iv, tag and ciphertext',
  ],
  [
    'the same in base64',
    [12, 16, 40].map((size) => randomBytes(size).toString('base64')).join(':'),
    'iv, tag and ciphertext',
  ],
  [
    'with a version before it',
    `v1:${[12, 16, 40].map((size) => hex(randomBytes(size))).join(':')}`,
    'iv, tag and ciphertext',
  ],
  ['packed hex', hex(bytes), 'random bytes'],
  ['packed base64', bytes.toString('base64'), 'random bytes'],
  ['packed base64url', bytes.toString('base64url'), 'random bytes'],
  ['packed bytes', bytes, 'random bytes'],
  ['a declared prefix', `enc!${'a'.repeat(40)}`, 'values with a declared prefix'],
])('%s looks encrypted', (_what, value, look) => {
  expect(lookOf(value, ['enc!'])).toBe(look);
});

describe('does not look encrypted:', () => {
  test.each<[string, string | Buffer]>([
    ['words', 'The quick brown fox jumps over the lazy dog, again and again and again'],
    ['a name without blanks', 'ThisIsAVeryLongCamelCaseIdentifierThatGoesOnAndOn'],
    ['a UUID', randomUUID()],
    ['a digest', createHash('sha256').update('x').digest('hex')],
    ['a password hash', '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW'],
    [
      'a JSON web token',
      `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${bytes.toString('base64url')}.${randomBytes(32).toString('base64url')}`,
    ],
    ['a URL', 'https://example.test/Some/Path0123456789/and?more=than-that&again=ABCdef'],
    ['a number', '31415926535897932384626433832795028841971693993751058209749445923078'],
    ['a time', '12:30:45'],
    ['an address', 'fe80:0:0:0:0:0:0:1'],
    ['text in bytes', Buffer.from('The quick brown fox jumps over the lazy dog')],
    ['zeros', Buffer.alloc(200)],
    ['nothing', ''],
  ])('%s', (_what, value) => {
    expect(lookOf(value, ['enc!'])).toBeNull();
  });
});
