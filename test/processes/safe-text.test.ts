import { expect, test } from 'vitest';
import { oneLine } from '../../src/processes/safe-text.js';
import { SecretValue } from '../../src/domain/secret-value.js';

test('a value this process has met is redacted before the text is cut', () => {
  const secret = new SecretValue('planted-value-0123456789');
  const text = `${'x'.repeat(290)}${secret.reveal()}`;
  expect(oneLine(text)).not.toContain('planted');
});

test('what looks like a credential is masked', () => {
  expect(oneLine('postgres://app:hunter2@db/app refused\nBearer abc.def-123')).toBe(
    'postgres://[credentials]@db/app refused Bearer [secret]',
  );
});

test('addresses without credentials stay readable', () => {
  const text = 'GET http://localhost:3000/users/@me?mail=a@b.example answered 200';
  expect(oneLine(text)).toBe(text);
});

test('the result is one line without colours, at most 300 characters', () => {
  expect(oneLine('\u001b[31mfirst\u001b[0m\r\n\tsecond\u0000third')).toBe('first second third');
  expect(oneLine('word '.repeat(200))).toHaveLength(300);
});
