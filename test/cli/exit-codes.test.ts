import { expect, test } from 'vitest';
import { exitCodeOf, exitCodeOfReport, EXIT_CODE_HELP } from '../../src/cli/exit-codes.js';
import { describeFailure } from '../../src/cli/failure.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { OUTCOMES } from '../../src/domain/report.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { FAILURE_TYPES } from '../../src/domain/status.js';

test.each([
  ['bad-inventory', 2],
  ['unknown-secret', 2],
  ['no-runbook', 2],
  [FAILURE_TYPES.badInput, 2],
  [FAILURE_TYPES.rolledBack, 3],
  ['cancelled', 3],
  ['ledger-unavailable', 5],
  ['temporal-unavailable', 5],
  ['no-worker', 5],
  [FAILURE_TYPES.stopped, 1],
  [FAILURE_TYPES.held, 1],
  ['never heard of', 1],
])('the error %s ends with %i', (code, expected) => {
  expect(exitCodeOf(code)).toBe(expected);
});

test('only a completed run is a success, and only a stopped one needs a person', () => {
  expect(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, exitCodeOfReport({ outcome })]))).toEqual({
    completed: 0,
    rejected: 3,
    aborted: 3,
    'rolled back': 3,
    cancelled: 3,
    stopped: 1,
  });
});

test('a run that its first step refuses has rolled nothing back: it ends as plan does', () => {
  expect(exitCodeOfReport({ outcome: 'rolled back', notBegun: true })).toBe(1);
});

test('every exit code that a verb can end with is in the help', () => {
  for (const code of [0, 1, 2, 3, 4, 5, 130]) expect(EXIT_CODE_HELP).toMatch(new RegExp(`^  ${code}  `, 'm'));
});

test('a failure is told without the secret values that this process has met', () => {
  const value = new SecretValue('correct horse battery staple').reveal();
  const failure = describeFailure(new KeyturnError('query-failed', `near "${value}"`, { hint: `not ${value}` }));
  expect(failure).toEqual({ code: 'query-failed', message: 'near "[secret]"', hint: 'not [secret]', exitCode: 1 });
  expect(describeFailure(new Error(`boom ${value}`)).message).toBe('unexpected: boom [secret]');
});
