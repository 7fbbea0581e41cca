import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readingOf, withAnswer, withCount, withMiss } from '../../src/checks/monitor-state.js';

const nothing = readingOf({}, 'errors');

test('the first reading is the baseline', () => {
  expect(withCount(nothing, 40)).toMatchObject({ baseline: 40, last: 40, increase: 0 });
});

test('a counter that went down was reset by a restart: what it shows has happened since, what was seen before still counts', () => {
  const readings = [40, 43, 2, 5].reduce(withCount, nothing);
  expect(readings).toMatchObject({ baseline: 40, last: 5, increase: 3 + 2 + 3, asked: 4 });
});

test('without restarts the increase is the difference to the baseline', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.array(fc.nat(50)), (start, steps) => {
      let value = start;
      let reading = withCount(nothing, value);
      for (const step of steps) reading = withCount(reading, (value += step));
      expect(reading.increase).toBe(value - start);
    }),
  );
});

test('misses count in a row only, and leave the baseline alone', () => {
  const missed = withMiss(withMiss(withCount(nothing, 1)));
  expect(missed).toMatchObject({ misses: 2, baseline: 1 });
  expect(withCount(missed, 1).misses).toBe(0);
});

test('failures add up', () => {
  expect([true, false, true, false].reduce(withAnswer, nothing)).toMatchObject({ asked: 4, failures: 2 });
});

test('the state survives a heartbeat as JSON, whatever a monitor is called', () => {
  const state = { constructor: withCount(nothing, 3) };
  const back = JSON.parse(JSON.stringify(state)) as typeof state;
  expect(readingOf(back, 'constructor')).toEqual(state.constructor);
  expect(readingOf({}, 'constructor')).toEqual(nothing);
});
