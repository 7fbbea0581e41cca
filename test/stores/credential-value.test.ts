/** A database credential in the four shapes in which a store may hold it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { CredentialShape } from '../../src/domain/specs/swap.js';
import { composeCredential, readCredential } from '../../src/stores/credential-value.js';

const URL_SHAPE = { in: 'url' } as const;
const JSON_SHAPE = { in: 'json', user: '/db/username', password: '/db/password' } as const;
const VARIABLES = { in: 'variables', user: 'DB_USER', password: 'DB_PASSWORD' } as const;
const PASSWORD = { in: 'password', user: 'app' } as const;

const read = (shape: CredentialShape, text: string): [string, string] => {
  const { user, password } = readCredential(shape, new SecretValue(text));
  return [user, password.reveal()];
};
const compose = (shape: CredentialShape, old: string, user: string, password: string): string =>
  composeCredential(shape, new SecretValue(old), { user, password: new SecretValue(password) }).reveal();

function failure(run: () => unknown): KeyturnError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(KeyturnError);
    return error as KeyturnError;
  }
  throw new Error('it did not fail');
}

it.each([
  [URL_SHAPE, 'postgresql://app_v1:p%40ss@db:5432/app?sslmode=require', ['app_v1', 'p@ss']],
  [JSON_SHAPE, '{"db": {"username":"app_v1", "password":"p\\u0040ss"}, "port": 5432}', ['app_v1', 'p@ss']],
  [VARIABLES, '["app_v1","p@ss"]', ['app_v1', 'p@ss']],
  [PASSWORD, 'p@ss', ['app', 'p@ss']],
] as const)('%j is read', (shape, text, expected) => {
  expect(read(shape, text)).toEqual(expected);
});

it.each([
  [
    URL_SHAPE,
    'postgresql://app_v1:p%40ss@db:5432/app?sslmode=require',
    'postgresql://app_v2:new-pass@db:5432/app?sslmode=require',
  ],
  [
    JSON_SHAPE,
    '{"db": {"username":"app_v1", "password":"x"}, "n": 1.50}',
    '{"db": {"username":"app_v2", "password":"new-pass"}, "n": 1.50}',
  ],
  [VARIABLES, '["app_v1","p@ss"]', '["app_v2","new-pass"]'],
] as const)('%j gets another user and password, and keeps every other character', (shape, old, expected) => {
  expect(compose(shape, old, 'app_v2', 'new-pass')).toBe(expected);
});

it('what stays the same stays as it is written', () => {
  const old = 'postgres://a%70p:pa%73s@h/d';
  expect(compose(URL_SHAPE, old, 'app', 'pass')).toBe(old);
  expect(compose(URL_SHAPE, old, 'app', 'new')).toBe('postgres://a%70p:new@h/d');
});

it('a fixed user stays, and another one is refused', () => {
  expect(compose(PASSWORD, 'old', 'app', 'new-pass')).toBe('new-pass');
  expect(failure(() => compose(PASSWORD, 'old', 'app_v2', 'new-pass')).code).toBe('unrepresentable');
});

describe('any user and password', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 24 });
  it.each([
    [URL_SHAPE, 'postgres://old:older@h:1,h:2/d?x=%20#f'],
    [JSON_SHAPE, '{"db":{"username":"old","password":"older"}}'],
    [VARIABLES, '["old","older"]'],
  ] as const)('read back the same in %j, and a change back gives the first text', (shape, old) => {
    fc.assert(
      fc.property(text, text, (user, password) => {
        const composed = compose(shape, old, user, password);
        expect(read(shape, composed)).toEqual([user, password]);
        expect(compose(shape, composed, 'old', 'older')).toBe(old);
      }),
    );
  });
});

it.each([
  [URL_SHAPE, 'hunter22-no-url', 'malformed'],
  [URL_SHAPE, 'postgres://hunter22@h/d', 'not-found'],
  [URL_SHAPE, 'postgres://u:hunter22@h@x/d', 'malformed'],
  [URL_SHAPE, 'postgres://u:p@h/d?password=hunter22', 'malformed'],
  [URL_SHAPE, 'postgres://h/d?sslmode=x&user=hunter22', 'malformed'],
  [JSON_SHAPE, '{"db":{"username":"hunter22"}}', 'not-found'],
  [JSON_SHAPE, 'hunter22', 'malformed'],
  [{ in: 'json', user: '/a', password: '/a' } as const, '{"a":"hunter22"}', 'malformed'],
  [VARIABLES, 'hunter22', 'malformed'],
  [VARIABLES, '["hunter22"]', 'malformed'],
] as const)('%j does not take %s, and does not show it', (shape, text, code) => {
  for (const error of [failure(() => read(shape, text)), failure(() => compose(shape, text, 'a', 'b'))]) {
    expect(error).toMatchObject({ code, effect: 'none' });
    expect(`${error.message} ${String(error.hint)} ${String(error.stack)} ${String(error.cause)}`).not.toContain(
      'hunter22',
    );
  }
});
