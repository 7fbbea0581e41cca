import { describe, expect, it } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { generatedLength, generateValue } from '../../src/stores/generate.js';
import { assessStrength } from '../../src/stores/strength.js';

describe('generators', () => {
  it.each([
    ['hex:32', /^[0-9a-f]{64}$/],
    ['base64:32', /^[A-Za-z0-9+/]{43}=$/],
    ['base64:33', /^[A-Za-z0-9+/]{44}$/],
    // Python: len(secrets.token_urlsafe(48)) == 64, never padded.
    ['base64url:48', /^[A-Za-z0-9_-]{64}$/],
    ['base64url:32', /^[A-Za-z0-9_-]{43}$/],
    ['fernet', /^[A-Za-z0-9_-]{43}=$/],
    ['test:16', /^test-session_secret-[0-9a-f]{32}$/],
  ])('%s gives values of its form, of the length foretold, never twice', (generator, form) => {
    const values = Array.from({ length: 200 }, () => generateValue(generator, 'SESSION_SECRET').reveal());
    for (const value of values) expect(value).toMatch(form);
    expect(new Set(values.map((value) => value.length))).toEqual(
      new Set([generatedLength(generator, 'SESSION_SECRET')]),
    );
    expect(new Set(values).size).toBe(200);
  });

  it('gives Fernet keys of 32 bytes', () => {
    expect(Buffer.from(generateValue('fernet', 'K').reveal(), 'base64url')).toHaveLength(32);
  });

  it.each(['', 'hex', 'hex:0', 'hex:1000', 'HEX:32', 'uuid', 'fernet:32', 'hex:32 '])('refuses %j', (generator) => {
    expect(() => generateValue(generator, 'K')).toThrow(KeyturnError);
    expect(() => generatedLength(generator, 'K')).toThrow(/not a generator/);
  });

  it('values never show in text', () => {
    const value = generateValue('hex:32', 'K');
    expect(`${JSON.stringify({ value })} ${String(value)}`).not.toContain(value.reveal());
  });
});

describe('strength', () => {
  const problems = (text: string, minimum = 16, options = {}) =>
    assessStrength(new SecretValue(text), minimum, options);

  it.each(['hex:16', 'hex:32', 'base64:24', 'base64:32', 'base64url:16', 'base64url:48', 'fernet'])(
    'finds nothing wrong with values made by %s',
    (generator) => {
      for (let at = 0; at < 500; at += 1) {
        const value = generateValue(generator, 'K');
        expect(assessStrength(value, generatedLength(generator, 'K'))).toEqual([]);
      }
    },
  );

  it.each([
    'changeme-changeme-changeme',
    'CHANGE_ME_IN_PRODUCTION_PLEASE',
    'your-secret-key-here-0123',
    'my-super-secret-session-key',
    'P@ssw0rd-for-the-database-1',
    'example-value-for-the-docs-9',
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    'keyboard cat keyboard dog',
    '<generate with openssl rand>',
    '${SESSION_SECRET_FROM_VAULT}',
    '12345678901234567890123456789012',
    'placeholder-3f9a8b7c6d5e4f3a',
  ])('takes %j for a placeholder', (text) => {
    expect(problems(text).join()).toContain('placeholder');
  });

  it.each([
    ['a'.repeat(40)],
    ['abcabcabcabcabcabcabcabcabcabcabc'],
    ['abcdefghijklmnopqrstuvwxyz'],
    ['0101010101010101010101010101'],
    ['tr0ub4dor'],
    ['aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb'],
  ])('finds %j easy to guess', (text) => {
    expect(problems(text, 1).join()).toMatch(/easy to guess/);
  });

  it('says how long a value is, and how long it should be', () => {
    expect(problems('k3J9x!mQ', 32)[0]).toBe('is 8 characters long; at least 32 are needed');
  });

  it('allows test values where the environment does, and only there', () => {
    const value = generateValue('test:16', 'SESSION_SECRET').reveal();
    expect(problems(value)).toEqual(['is marked as a test value']);
    expect(problems(value, 16, { allowTestValues: true })).toEqual([]);
    expect(problems(value, 100, { allowTestValues: true })).toHaveLength(1);
    expect(problems('dev-3f9a8b7c6d5e4f3a2b1c')).toContain('is marked as a test value');
  });

  it('finds white space at the ends', () => {
    expect(problems('k3J9x!mQz7Lw2Rt8Vb5N\n').join()).toContain('white space');
  });

  it('never quotes the value', () => {
    for (const text of ['changeme', 'password-1', 'a'.repeat(30), 'test-k-00ff', ' weird-password ']) {
      expect(problems(text, 64).join()).not.toContain(text.trim());
    }
  });
});
