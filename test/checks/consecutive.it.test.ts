import { expect, test } from 'vitest';
import { passConsecutively, type ConsecutiveProgress } from '../../src/checks/consecutive.js';
import { contextWith, failureOf } from './contexts.js';
import { deadUrl, serve, statusPattern } from './local-server.js';
import { planned } from './planned.js';
import { goesOn } from '../support/meanwhile.js';

const context = contextWith();

async function health(statuses: readonly number[], more: object = {}) {
  const { url } = await serve(statusPattern(statuses));
  return planned('http', { url, passes: 3, every: '10ms', within: '5s', ...more });
}

test('three passes in a row are enough, and no more is asked', async () => {
  const { facts, summary } = await passConsecutively(await health([200]), context);
  expect(facts).toMatchObject({ check: 'a-http', passes: 3, asked: 3 });
  expect(summary).toMatch(/^a-http passed 3 times in a row in \d+m?s: GET .* answered 200$/);
});

test('failures before the first pass are patience: the service is starting', async () => {
  const { facts, summary } = await passConsecutively(await health([503, 503, 503, 503, 200]), context);
  expect(facts).toMatchObject({ asked: 7 });
  expect(summary).toContain('after 4 failed attempts');
});

// Row 32: the patterns in which a service that is not well shows itself.
test.each([
  [[200, 503, 200, 200, 200], 'passed once and then failed'],
  [[200, 200, 503, 200], 'passed 2 times and then failed'],
  [[503, 503, 200, 500], 'passed once and then failed'],
  [[503, 200, 200, 401, 200, 200, 200], 'passed 2 times and then failed'],
])('flapping %j is a failure, however well it goes on', async (statuses, words) => {
  const error = await failureOf(passConsecutively(await health(statuses), context));
  expect(error).toMatchObject({ code: 'check-flapping', effect: 'none', retryable: false });
  expect(error.message).toContain(words);
});

test('a service that never comes up fails with what was seen last', async () => {
  const error = await failureOf(passConsecutively(await health([503], { within: '200ms' }), context));
  expect(error.code).toBe('check-failed');
  expect(error.message).toMatch(/^a-http did not pass within 200ms: GET .* answered 503, expected 2xx$/);
});

test('passes that come too late are told apart from none', async () => {
  const check = await health([200], { passes: 50, every: '50ms', within: '300ms' });
  const error = await failureOf(passConsecutively(check, context));
  expect(error.code).toBe('check-failed');
  expect(error.message).toMatch(/passed only \d times of 50 within 300ms/);
});

test('nobody there yet is patience too', async () => {
  const check = planned('http', { url: await deadUrl(), every: '10ms', within: '150ms' });
  expect((await failureOf(passConsecutively(check, context))).message).toContain('connection refused');
});

test('a question that is still open when time is up does not extend it', async () => {
  const { url } = await serve(() => undefined);
  const check = planned('http', { url, timeout: '20s', within: '250ms' });
  const started = performance.now();
  expect((await failureOf(passConsecutively(check, context))).message).toContain('was never answered');
  expect(performance.now() - started).toBeLessThan(15_000);
});

test('each answer is reported, for heartbeats', async () => {
  const seen: ConsecutiveProgress[] = [];
  await passConsecutively(await health([503, 200]), context, { onProgress: (progress) => seen.push(progress) });
  expect(seen.map(({ asked, passed }) => [asked, passed])).toEqual([
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 3],
  ]);
});

test.each([
  ['between two questions', { every: '30s' }],
  ['during a question', { timeout: '30s' }],
])('an abort is respected at once: %s', async (when, more) => {
  const { url } = await serve((_, response) => {
    if (when.startsWith('between')) response.end();
  });
  const controller = new AbortController();
  const check = planned('http', { url, within: '60s', ...more });
  const passing = passConsecutively(check, contextWith({}, controller.signal));
  await goesOn(passing, 200);
  const reason = new Error('cancelled');
  const aborted = performance.now();
  controller.abort(reason);
  await expect(passing).rejects.toBe(reason);
  expect(performance.now() - aborted).toBeLessThan(15_000);
});

test('the pause between questions is the one in the inventory', async () => {
  let now = 0;
  const slept: number[] = [];
  const clock = {
    now: () => now,
    sleep: (milliseconds: number) => {
      slept.push(milliseconds);
      now += milliseconds;
      return Promise.resolve();
    },
  };
  await passConsecutively(await health([200], { passes: 4, every: '7s', within: '60s' }), context, { clock });
  expect(slept).toEqual([7_000, 7_000, 7_000]);
});
