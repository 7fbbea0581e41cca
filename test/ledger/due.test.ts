import { describe, expect, test } from 'vitest';
import { nextDue } from '../../src/ledger/due.js';

describe('the next due date', () => {
  test.each([
    ['2026-11-21T09:30:00.000Z', '90d', '2027-02-19T09:30:00.000Z'],
    ['2026-11-21T23:59:59.999+01:00', '30d', '2026-12-21T22:59:59.999Z'],
    ['2028-02-28T00:00:00Z', '1d', '2028-02-29T00:00:00.000Z'],
    ['2026-03-28T12:00:00Z', '2d', '2026-03-30T12:00:00.000Z'], // clocks change in between
    ['2026-11-21T09:30:00Z', '2w', '2026-12-05T09:30:00.000Z'],
  ])('%s + %s is %s', (finished, cadence, due) => {
    expect(nextDue(finished, cadence)).toBe(due);
  });

  test('there is none without a cadence', () => {
    expect(nextDue('2026-11-21T09:30:00.000Z', null)).toBeNull();
  });

  test('a cadence that is no duration is refused', () => {
    expect(() => nextDue('2026-11-21T09:30:00.000Z', 'quarterly')).toThrow('"quarterly" is not a duration');
  });
});
