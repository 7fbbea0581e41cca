import { expect, test } from 'vitest';
import { limitsOf } from '../src/worker-limits.js';

const GIGABYTE = 1_073_741_824;

test.for<[string, { memory: number; processors: number }, { cachedRuns: number; activities: number }]>([
  ['a small container', { memory: GIGABYTE / 4, processors: 1 }, { cachedRuns: 51, activities: 50 }],
  ['half a gigabyte', { memory: GIGABYTE / 2, processors: 2 }, { cachedRuns: 102, activities: 100 }],
  ['a virtual machine', { memory: 2 * GIGABYTE, processors: 2 }, { cachedRuns: 200, activities: 100 }],
  ['a large server', { memory: 256 * GIGABYTE, processors: 64 }, { cachedRuns: 500, activities: 500 }],
])('%s takes on what it can', ([, means, limits]) => {
  expect(limitsOf({}, means)).toEqual(limits);
});

test('a setting is taken at its word, and an empty one is none', () => {
  const means = { memory: GIGABYTE, processors: 2 };
  expect(limitsOf({ KEYTURN_CACHED_RUNS: '1000', KEYTURN_ACTIVITIES_AT_ONCE: '20' }, means)).toEqual({
    cachedRuns: 1_000,
    activities: 20,
  });
  expect(limitsOf({ KEYTURN_CACHED_RUNS: '', KEYTURN_ACTIVITIES_AT_ONCE: '' }, means)).toEqual(limitsOf({}, means));
});

test.for(['0', '1', '-5', '2.5', 'many', '123456'])('%s is no number of runs or steps', (text) => {
  expect(() => limitsOf({ KEYTURN_CACHED_RUNS: text })).toThrow('KEYTURN_CACHED_RUNS is not a whole number from 2');
  expect(() => limitsOf({ KEYTURN_ACTIVITIES_AT_ONCE: text })).toThrow('KEYTURN_ACTIVITIES_AT_ONCE is not');
});
