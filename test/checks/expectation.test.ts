import { describe, expect, test } from 'vitest';
import { mismatch } from '../../src/checks/expectation.js';
import type { Expectation } from '../../src/domain/specs/check.js';

describe('met', () => {
  test.each<[Expectation, unknown]>([
    ['ok', 'ok'],
    [3, 3],
    [true, true],
    [null, null],
    [{ equals: 'ok' }, 'ok'],
    [{ not: 'down' }, 'ok'],
    [{ not: null }, 0],
    [{ atMost: 5 }, 5],
    [{ atLeast: 5 }, 5],
    [{ atLeast: 1, atMost: 3 }, 2],
    [{ matches: '^v2\\.' }, 'v2.1'],
    [{ matches: '^20' }, 2026],
    [{ exists: true }, null],
    [{ exists: false }, undefined],
  ])('%j by %j', (expected, actual) => {
    expect(mismatch(expected, actual)).toBeNull();
  });
});

describe('not met', () => {
  test.each<[Expectation, unknown, string]>([
    ['ok', 'degraded', '"degraded", expected "ok"'],
    [3, '3', 'a text of 1 characters, expected 3'],
    [null, undefined, 'missing, expected null'],
    [{ not: 'down' }, 'down', '"down", expected anything but "down"'],
    [{ not: 'down' }, undefined, 'missing, expected a value'],
    [{ atMost: 5 }, 6, '6, expected at most 5'],
    [{ atMost: 5 }, 'few', '"few", expected at most 5'],
    [{ atMost: 5 }, null, 'null, expected at most 5'],
    [{ atLeast: 1, atMost: 3 }, 0, '0, expected at least 1'],
    [{ matches: '^v2' }, 'v', '"v", expected a match for /^v2/'],
    [{ matches: '(' }, 'anything', '"anything", expected a match for /(/'],
    [{ matches: 'object' }, {}, 'an object, expected a match for /object/'],
    [{ exists: true }, undefined, 'missing, expected a value'],
    [{ exists: false }, [1, 2], 'a list of 2, expected nothing there'],
  ])('%j by %j says %j', (expected, actual, words) => {
    expect(mismatch(expected, actual)).toBe(words);
  });
});

test('a value that could be a credential is described, never shown', () => {
  const planted = 'sk_live_4242planted';
  expect(mismatch('ok', planted)).toBe('a text of 19 characters, expected "ok"');
});
