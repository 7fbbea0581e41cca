import { expect, test } from 'vitest';
import type { Outgoing } from '../../src/checks/http-client.js';
import { fillRequest, mentions } from '../../src/checks/template.js';
import { SecretValue } from '../../src/domain/secret-value.js';

const request: Outgoing = {
  method: 'POST',
  url: 'http://localhost/users/${captured.id}?key=${inputs.key}',
  headers: { Authorization: 'Bearer ${captured.token}', Accept: 'text/plain' },
  json: { password: '${inputs.key}', list: ['${captured.id}', 1, null, true], nested: { id: '${captured.id}' } },
  form: { secret: '${inputs.key}' },
  timeout: '5s',
};
const values = new Map([
  ['inputs.key', new SecretValue('a b/c&d')],
  ['captured.id', new SecretValue('7/8')],
  ['captured.token', new SecretValue('to+ken=')],
]);

test('values are put into address, headers, JSON and form; in the address percent-encoded', () => {
  expect(fillRequest(request, values)).toEqual({
    ...request,
    carriesSecret: true,
    url: 'http://localhost/users/7%2F8?key=a%20b%2Fc%26d',
    headers: { Authorization: 'Bearer to+ken=', Accept: 'text/plain' },
    json: { password: 'a b/c&d', list: ['7/8', 1, null, true], nested: { id: '7/8' } },
    form: { secret: 'a b/c&d' },
  });
});

test('an address that begins with a captured value takes it as it is', () => {
  const location = new Map([['captured.location', new SecretValue('http://localhost/a?b=c')]]);
  const filled = fillRequest({ method: 'GET', url: '${captured.location}&d=e', timeout: '5s' }, location);
  expect(filled.url).toBe('http://localhost/a?b=c&d=e');
});

test('a value with replacement patterns is put in literally', () => {
  const odd = new Map([['value', new SecretValue("$&$1$'$$")]]);
  const filled = fillRequest(
    { method: 'GET', url: 'http://localhost', headers: { A: '${value}' }, timeout: '5s' },
    odd,
  );
  expect(filled.headers).toEqual({ A: "$&$1$'$$" });
});

test('a value that holds a placeholder is not filled in a second time', () => {
  const nested = new Map([['value', new SecretValue('${inputs.key}')]]);
  const filled = fillRequest({ method: 'GET', url: 'http://x', form: { a: '${value}' }, timeout: '5s' }, nested);
  expect(filled.form).toEqual({ a: '${inputs.key}' });
});

test('a placeholder nothing is known for is named', () => {
  expect(() => fillRequest(request, new Map())).toThrow('${captured.id}');
});

test('mentions finds a placeholder in every place but the names', () => {
  const bare = { method: 'GET', url: 'http://localhost', timeout: '5s' } as const;
  expect(mentions({ ...bare, url: 'http://localhost/${value}' }, 'value')).toBe(true);
  expect(mentions({ ...bare, headers: { A: 'x ${value}' } }, 'value')).toBe(true);
  expect(mentions({ ...bare, json: { a: ['${value}'] } }, 'value')).toBe(true);
  expect(mentions({ ...bare, form: { a: '${value}' } }, 'value')).toBe(true);
  expect(mentions({ ...bare, headers: { '${value}': 'x' } }, 'value')).toBe(false);
  expect(mentions(request, 'value')).toBe(false);
});
