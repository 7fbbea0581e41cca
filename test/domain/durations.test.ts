import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMilliseconds, milliseconds } from '../../src/domain/durations.js';

describe('a duration', () => {
  test.each([
    ['0s', 0],
    ['1ms', 1],
    ['500ms', 500],
    ['10s', 10_000],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['90d', 7_776_000_000],
    ['2w', 1_209_600_000],
    ['999999999w', 999_999_999 * 604_800_000],
  ])('%s is %i ms', (text, expected) => {
    expect(milliseconds(text)).toBe(expected);
  });

  test.each(['', '10', 's', '1.5h', '-1h', '1 h', ' 1h', '1h ', '1h30m', '1H', '1y', '1000000000s', '1h\n', '٣h'])(
    'is never guessed: %j is refused, with what would have been right',
    (text) => {
      expect(() => milliseconds(text)).toThrow(
        expect.objectContaining({
          code: 'bad-duration',
          message: `"${text}" is not a duration`,
          hint: 'write 90d, 24h, 30m or 10s',
        }),
      );
    },
  );
});

describe('a duration for people', () => {
  test.each([
    [0, '0ms'],
    [0.4, '0ms'],
    [350, '350ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [1_000, '1s'],
    [1_234, '1.2s'],
    [59_940, '59.9s'],
    [59_960, '1m'],
    [60_000, '1m'],
    [61_000, '1m 1s'],
    [3_599_600, '1h'],
    [3_600_000, '1h'],
    [86_400_000 + 300_000, '24h 5m'],
    [2 * 86_400_000 - 1_000, '47h 59m'],
    [2 * 86_400_000, '2d'],
    [7_776_000_000, '90d'],
    [7_776_000_000 + 3_600_000 + 60_000, '90d 1h'],
    [3_600_000 + 5_000, '1h 5s'],
  ])('%d ms reads %s', (total, expected) => {
    expect(formatMilliseconds(total)).toBe(expected);
  });

  test('has one or two parts, largest unit first, and is off by less than its smallest shown unit', () => {
    const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 365 * 86_400_000 }), (total) => {
        const parts = formatMilliseconds(total)
          .split(' ')
          .map((part) => {
            const [, count, name] = /^(\d+(?:\.\d)?)(ms|s|m|h|d)$/.exec(part) ?? [];
            return { count: Number(count), size: unit[name as keyof typeof unit] };
          });
        expect(parts.length).toBeGreaterThan(0);
        expect(parts.length).toBeLessThanOrEqual(2);
        const sizes = parts.map(({ size }) => size);
        expect([...sizes].sort((a, b) => b - a)).toEqual(sizes);
        const shown = parts.reduce((sum, { count, size }) => sum + count * size, 0);
        expect(Math.abs(shown - total)).toBeLessThan(Math.max(sizes.at(-1)!, 501));
      }),
    );
  });
});
