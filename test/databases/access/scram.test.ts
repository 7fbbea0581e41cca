import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { expect, test } from 'vitest';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { KeyturnError } from '../../../src/domain/errors.js';
import { formsOf } from '../../../src/domain/redactor.js';
import { SecretValue } from '../../../src/domain/secret-value.js';

const PASSWORD = new SecretValue('k3-Xo_generated-password-0123456789abcdef');

test('a retry on another worker sends the same bytes', () => {
  expect(scramVerifier(PASSWORD, 'app_v2 run-1')).toBe(
    scramVerifier(new SecretValue(PASSWORD.reveal()), 'app_v2 run-1'),
  );
});

test('another purpose or password has another salt', () => {
  const salt = (verifier: string): string => /:([^$]+)\$/.exec(verifier)![1]!;
  const verifiers = [
    scramVerifier(PASSWORD, 'app_v2 run-1'),
    scramVerifier(PASSWORD, 'app_v2 run-2'),
    scramVerifier(PASSWORD, 'app_v3 run-1'),
    scramVerifier(new SecretValue(`${PASSWORD.reveal()}x`), 'app_v2 run-1'),
  ];
  expect(new Set(verifiers.map(salt)).size).toBe(4);
});

test('the keys are those of RFC 5802 for the salt and rounds that the verifier names', () => {
  const verifier = scramVerifier(PASSWORD, 'any');
  const [, rounds, salt, stored, server] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(verifier)!;
  expect([Number(rounds), Buffer.from(salt!, 'base64').length]).toEqual([4_096, 16]);
  const salted = pbkdf2Sync(PASSWORD.reveal(), Buffer.from(salt!, 'base64'), Number(rounds), 32, 'sha256');
  const hmac = (label: string): Buffer => createHmac('sha256', salted).update(label).digest();
  expect(stored).toBe(createHash('sha256').update(hmac('Client Key')).digest('base64'));
  expect(server).toBe(hmac('Server Key').toString('base64'));
});

test('nothing of the password shows in it, in any form', () => {
  const verifier = scramVerifier(PASSWORD, 'any');
  for (const form of formsOf(PASSWORD.reveal())) expect(verifier.includes(form)).toBe(false);
});

test.each(['', 'pässword-not-ascii', 'tab\tin-password', 'new\nline-in-it', 'ﬁgature-password'])(
  'what drivers may prepare differently is refused, unseen: %j',
  (text) => {
    const attempt = (): string => scramVerifier(new SecretValue(text), 'any');
    expect(attempt).toThrow(KeyturnError);
    try {
      attempt();
    } catch (error) {
      expect(error).toMatchObject({ code: 'unrepresentable', effect: 'none' });
      if (text !== '') expect(String(error)).not.toContain(text);
    }
  },
);
