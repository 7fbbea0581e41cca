import { createHash, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deriveKey, keyId } from '../../src/ciphers/key-material.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { keyForm, type KeyForm } from '../../src/domain/specs/ciphertext.js';
import { SecretValue } from '../../src/domain/secret-value.js';

const KEY = randomBytes(32);
const padded = (text: string): string => text.padEnd(44, '=');
const derive = (form: KeyForm, text: string): Buffer => deriveKey(form, new SecretValue(text));

test.each<[KeyForm, string]>([
  ['fernet', padded(KEY.toString('base64url'))],
  ['hex', KEY.toString('hex')],
  ['hex', KEY.toString('hex').toUpperCase()],
  ['base64', KEY.toString('base64')],
  ['base64', KEY.toString('base64').replace('=', '')],
  ['base64url', KEY.toString('base64url')],
  ['base64url', padded(KEY.toString('base64url'))],
])('a key in the form %s is its 32 bytes', (form, text) => {
  expect(derive(form, text)).toEqual(KEY);
});

test('a raw key is the UTF-8 bytes of its text', () => {
  expect(derive('raw', 'k'.repeat(30) + 'ä')).toEqual(Buffer.from('k'.repeat(30) + 'ä'));
});

describe('derivations come to what the application’s own call comes to:', () => {
  const text = 'correct horse battery staple';

  test('SHA-256', () => {
    expect(derive({ derive: 'sha256', of: 'text' }, text)).toEqual(createHash('sha256').update(text).digest());
    expect(derive({ derive: 'sha256', of: 'hex' }, KEY.toString('hex'))).toEqual(
      createHash('sha256').update(KEY).digest(),
    );
  });

  test('scrypt with Node’s defaults, and with a cost that needs more memory than Node allows by default', () => {
    const small = keyForm.parse({ derive: 'scrypt', salt: 'salt' });
    expect(derive(small, text)).toEqual(scryptSync(text, 'salt', 32));
    const large = keyForm.parse({ derive: 'scrypt', salt: { hex: '00ff' }, cost: 65_536, blockSize: 8 });
    const own = scryptSync(text, Buffer.from('00ff', 'hex'), 32, { cost: 65_536, maxmem: 128 * 1024 * 1024 });
    expect(derive(large, text)).toEqual(own);
  });

  test('HKDF, with and without salt and info', () => {
    const bare = keyForm.parse({ derive: 'hkdf' });
    expect(derive(bare, text)).toEqual(Buffer.from(hkdfSync('sha256', text, '', '', 32)));
    const full = keyForm.parse({ derive: 'hkdf', of: 'base64', digest: 'sha512', salt: 'pepper', info: 'columns' });
    const own = Buffer.from(hkdfSync('sha512', KEY, 'pepper', 'columns', 32));
    expect(derive(full, KEY.toString('base64'))).toEqual(own);
  });
});

describe('a key that only nearly has its form is refused, and none of it is shown:', () => {
  const fernet = padded(KEY.toString('base64url'));

  test.each<[string, KeyForm, string]>([
    ['an empty one', 'hex', ''],
    ['a Fernet key without its padding', 'fernet', KEY.toString('base64url')],
    ['a Fernet key with a line break', 'fernet', `${fernet}\n`],
    ['a Fernet key in the other alphabet', 'fernet', Buffer.alloc(32, 0xfb).toString('base64')],
    ['a Fernet key of 31 bytes', 'fernet', Buffer.alloc(31, 7).toString('base64url').padEnd(44, '=')],
    ['a Fernet key with bits beyond its bytes', 'fernet', `${'A'.repeat(42)}B=`],
    ['hex with an odd digit', 'hex', KEY.toString('hex').slice(1)],
    ['hex of 16 bytes', 'hex', KEY.toString('hex').slice(32)],
    ['hex with a letter that is none', 'hex', `g${KEY.toString('hex').slice(1)}`],
    ['hex with a letter outside ASCII', 'hex', `ä${KEY.toString('hex').slice(1)}`],
    ['base64 with a blank', 'base64', KEY.toString('base64').replace(/^../, 'A ')],
    ['base64 in the URL-safe alphabet', 'base64', Buffer.alloc(32, 0xfb).toString('base64url')],
    ['raw of 31 bytes', 'raw', 'r'.repeat(31)],
    ['the material of a derivation', { derive: 'sha256', of: 'hex' }, 'nothing of this is hex'],
    ['a cost that is no power of two', keyForm.parse({ derive: 'scrypt', salt: 's', cost: 1_000 }), 'some passphrase'],
  ])('%s', (_what, form, text) => {
    const failure = ((): unknown => {
      try {
        return derive(form, text);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(KeyturnError);
    const { code, message, hint, stack } = failure as KeyturnError;
    expect(code).toBe('malformed-key');
    for (const said of [message, hint ?? '', stack ?? '']) {
      if (text.length > 5) expect(said).not.toContain(text.slice(0, 6));
    }
  });
});

test('any text that is no key of its form is refused, never bent into one', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom<KeyForm>('fernet', 'hex', 'base64', 'base64url'), (text, form) => {
      expect(() => derive(form, text)).toThrow(KeyturnError);
    }),
  );
});

test('a key is known by the first 8 hex digits of its SHA-256', () => {
  expect(keyId(Buffer.alloc(32))).toBe('66687aad');
});
