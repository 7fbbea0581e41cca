import { expect, test } from 'vitest';
import { SecretValue } from '../../src/domain/secret-value.js';
import { applyMasks, cleanLines, maskCredentials, masksOfVariables } from '../../src/processes/masks.js';

const NONE = new Map<string, string>();

test.each([
  ['postgres://app:hunter2@db/app', 'postgres://[credentials]@db/app'],
  ['postgres://app:hun/ter#2@x@db/app', 'postgres://[credentials]@db/app'],
  ['https://user:pass@host/x', 'https://[credentials]@host/x'],
  ['redis://:pass@cache:6379', 'redis://[credentials]@cache:6379'],
  ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_123 given', 'token [token] given'],
  ['cookie s%3Aabc123.kK8tN2l5oQ3vWxYz0123456789abcd refused', 'cookie [cookie] refused'],
  ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [secret]'],
])('what looks like a credential is masked, in a line and in an output: %s', (text, expected) => {
  expect(maskCredentials(text)).toBe(expected);
  expect(cleanLines(text, NONE)).toEqual([expected]);
});

test('addresses without credentials stay readable', () => {
  const text = 'GET http://localhost:3000/users/@me?mail=a@b.example answered 200';
  expect(maskCredentials(text)).toBe(text);
});

test('named variables are masked by their names, also where they are encoded', () => {
  const environment = { API_TOKEN: 'pla"nted/4711+x', SHORT: 'abc' };
  const masks = masksOfVariables(['API_TOKEN', 'SHORT', 'UNSET'], environment, 'masked');
  const forms = [
    environment.API_TOKEN,
    encodeURIComponent(environment.API_TOKEN),
    JSON.stringify(environment.API_TOKEN),
    Buffer.from(environment.API_TOKEN).toString('hex'),
  ];
  expect(applyMasks(forms.join(' '), masks)).toBe('[$API_TOKEN] [$API_TOKEN] "[$API_TOKEN]" [$API_TOKEN]');
  expect(applyMasks('abc', masks)).toBe('abc');
});

test('of a value that holds another one nothing stays', () => {
  const environment = { DATABASE_URL: 'x-planted-password-y', DATABASE_PASSWORD: 'planted-password' };
  const masks = masksOfVariables(['DATABASE_PASSWORD', 'DATABASE_URL'], environment, 'masked');
  expect(applyMasks('x-planted-password-y planted-password', masks)).toBe('[$DATABASE_URL] [$DATABASE_PASSWORD]');
});

test('plain settings are masked or stay readable as asked; a name that says secret is always masked', () => {
  const environment = { NODE_ENV: 'production', SMTP_PASSWORD: 'correcthorse' };
  const shown = (settings: 'readable' | 'masked'): string =>
    applyMasks('production correcthorse', masksOfVariables(Object.keys(environment), environment, settings));
  expect(shown('readable')).toBe('production [$SMTP_PASSWORD]');
  expect(shown('masked')).toBe('[$NODE_ENV] [$SMTP_PASSWORD]');
});

test('an output becomes lines that say something, without colours, none too long, masked before they are cut', () => {
  const secret = new SecretValue('planted-value-0123456789');
  const text = `\u001b[31mfirst\u001b[0m\t\r\n\n  \nsecond\u0000third\n${'x'.repeat(290)}${secret.reveal()}`;
  const lines = cleanLines(text, NONE);
  expect(lines.slice(0, 2).map((line) => line.trim())).toEqual(['first', 'second third']);
  expect(lines).toHaveLength(3);
  expect(lines[2]).not.toContain('planted');
  expect(lines[2]?.length).toBeLessThanOrEqual(300);
});
