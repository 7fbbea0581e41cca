import { expect, test } from 'vitest';
import { takeBaselines, watchMonitors, type MonitorState } from '../../src/checks/monitor.js';
import { freshHostileDatabase } from '../support/hostile-database.js';
import { contextWith, failureOf } from './contexts.js';
import { serve, statusPattern } from './local-server.js';
import { planned, plannedMonitor } from './planned.js';
import { goesOn } from '../support/meanwhile.js';

const context = contextWith();
const soon = (milliseconds: number) => Date.now() + milliseconds;

/** A window of 300 ms on a clock that only pauses move: every reading of a script is taken, however busy the machine is. */
function scriptedWindow() {
  let now = 0;
  const sleep = (milliseconds: number) => {
    now += milliseconds;
    return Promise.resolve();
  };
  return { until: 300, clock: { now: () => now, sleep } };
}

/** A counter whose readings are scripted; the last one stays. `null`: the metrics page answers 500. */
async function counter(readings: readonly (number | null)[], more: object = {}) {
  let next = 0;
  const { url } = await serve((_, response) => {
    const value = readings[Math.min(next, readings.length - 1)] ?? null;
    next += 1;
    response.statusCode = value === null ? 500 : 200;
    response.end(JSON.stringify({ auth: { rejected: value } }));
  });
  return plannedMonitor('rejected', {
    type: 'counter',
    measure: { type: 'http', url, json: '/auth/rejected' },
    every: '20ms',
    maximumIncrease: 5,
    ...more,
  });
}

test('a counter that rises within its allowance is fine, and the evidence says by how much', async () => {
  const evidence = await watchMonitors([await counter([100, 101, 103])], { ...scriptedWindow(), context });
  expect(evidence.summary).toBe('rejected rose by 3 of 5 allowed');
  expect(evidence.facts).toMatchObject({ 'rejected.baseline': 100, 'rejected.increase': 3 });
});

test('one that rises further is a breach at once, with baseline, value and allowance', async () => {
  const started = performance.now();
  const watching = watchMonitors([await counter([100, 101, 106])], { until: soon(20_000), context });
  const error = await failureOf(watching);
  expect(error).toMatchObject({ code: 'monitor-breached', effect: 'none', retryable: false });
  expect(error.message).toBe('rejected rose by 6 (baseline 100, now 106), 5 allowed');
  expect(performance.now() - started).toBeLessThan(15_000);
});

test('a restart of the application resets its counter, not what has been counted', async () => {
  expect(
    await failureOf(watchMonitors([await counter([100, 104, 0, 2])], { ...scriptedWindow(), context })),
  ).toMatchObject({
    message: 'rejected rose by 6 (baseline 100, now 2), 5 allowed',
  });
  const fine = await watchMonitors([await counter([100, 102, 0, 2])], { ...scriptedWindow(), context });
  expect(fine.facts).toMatchObject({ 'rejected.increase': 4 });
});

test('two lost readings are a hiccup, three in a row a breach', async () => {
  const hiccup = await counter([1, null, null, 2, null, null, 3]);
  expect((await watchMonitors([hiccup], { ...scriptedWindow(), context })).summary).toBe(
    'rejected rose by 2 of 5 allowed',
  );
  const error = await failureOf(watchMonitors([await counter([1, null])], { until: soon(20_000), context }));
  expect(error.code).toBe('monitor-breached');
  expect(error.message).toMatch(/^rejected could not be read 3 times in a row: GET .* answered 500$/);
});

test('an answer without a number is a lost reading', async () => {
  const { url } = await serve((_, response) => void response.end('{"auth":{"rejected":"planted-4711-text"}}'));
  const monitor = plannedMonitor('rejected', {
    type: 'counter',
    measure: { type: 'http', url, json: '/auth/rejected' },
    every: '10ms',
    maximumIncrease: 0,
  });
  const error = await failureOf(watchMonitors([monitor], { until: soon(9_000), context }));
  expect(error.message).toContain('is a text of 17 characters, not a number');
});

test('the window’s last moment is looked at, also when the interval is longer than the window', async () => {
  const monitor = await counter([10, 99], { every: '1h' });
  expect((await failureOf(watchMonitors([monitor], { until: soon(100), context }))).code).toBe('monitor-breached');
});

test('a lost last reading is tried again: a window does not close unseen', async () => {
  const monitor = await counter([10, null, 99], { every: '1h' });
  expect((await failureOf(watchMonitors([monitor], { until: soon(50), context }))).message).toContain('rose by 89');
});

test('a counter in the database', async () => {
  const { url } = await freshHostileDatabase('monitor');
  const monitor = plannedMonitor(
    'ticks',
    {
      type: 'counter',
      measure: { type: 'sql', database: 'app', query: `SELECT extract(epoch FROM clock_timestamp()) * 1000` },
      every: '50ms',
      maximumIncrease: 100,
    },
    {
      measure: {
        type: 'sql',
        database: { env: 'APP' },
        query: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint',
        timeout: '5s',
      },
    },
  );
  const error = await failureOf(watchMonitors([monitor], { until: soon(5_000), context: contextWith({ APP: url }) }));
  expect(error.message).toMatch(/^ticks rose by \d+ \(baseline \d+, now \d+\), 100 allowed$/);
});

test('a check may fail so often and no more', async () => {
  const check = async (statuses: number[], failuresAllowed: number) => {
    const { url } = await serve(statusPattern(statuses));
    const spec = { type: 'check', check: 'health', every: '20ms', failuresAllowed };
    return plannedMonitor('healthy', spec, { check: planned('http', { url }) });
  };
  const allowed = await watchMonitors([await check([200, 503, 200], 1)], { ...scriptedWindow(), context });
  expect(allowed.summary).toMatch(/^healthy failed 1 of \d+ times$/);
  const error = await failureOf(watchMonitors([await check([200, 503, 200], 0)], { until: soon(20_000), context }));
  expect(error.message).toMatch(/^healthy failed 1 of 2 times, 0 allowed: GET .* answered 503, expected 2xx$/);
});

test('each is asked at its own interval, and the first breach ends all', async () => {
  const [quick, slow] = [await counter([1]), { ...(await counter([1])), name: 'slow', every: '10s' }];
  const { facts } = await watchMonitors([quick, slow], { until: soon(1_000), context });
  expect(Number(facts?.['rejected.asked'])).toBeGreaterThan(4);
  expect(facts?.['slow.asked']).toBe(2);
  const started = performance.now();
  const breaching = { ...(await counter([1, 50])), name: 'breaching' };
  expect((await failureOf(watchMonitors([slow, breaching], { until: soon(30_000), context }))).message).toContain(
    'breaching',
  );
  expect(performance.now() - started).toBeLessThan(9_000);
});

test('a timer that comes a millisecond early by the clock is no reading more', async () => {
  const { until, clock } = scriptedWindow();
  let early = 0;
  const late = { now: () => clock.now() - early, sleep: (pause: number) => ((early = 1), clock.sleep(pause)) };
  const slow = { ...(await counter([1])), every: '10s' };
  const { facts } = await watchMonitors([slow], { until, context, clock: late });
  expect(facts?.['rejected.asked']).toBe(2);
});

test('a new worker goes on with the state of the last one: same baseline, nothing missed between them', async () => {
  const monitor = await counter([100, 101, 102, 107]);
  const controller = new AbortController();
  let heartbeat = '{}';
  const watching = watchMonitors([monitor], {
    until: soon(20_000),
    context: contextWith({}, controller.signal),
    onProgress: (state) => {
      heartbeat = JSON.stringify(state);
      // The worker dies after its third reading.
      if (state.rejected?.asked === 3) controller.abort(new Error('killed'));
    },
  });
  await expect(watching).rejects.toThrow('killed');
  const baseline = JSON.parse(heartbeat) as MonitorState;
  expect(baseline.rejected).toEqual({ asked: 3, failures: 0, misses: 0, increase: 2, baseline: 100, last: 102 });
  const error = await failureOf(watchMonitors([monitor], { ...scriptedWindow(), context, baseline }));
  expect(error.message).toBe('rejected rose by 7 (baseline 100, now 107), 5 allowed');
});

test('a window that closed while no worker ran is still judged', async () => {
  const baseline = { rejected: { asked: 9, failures: 0, misses: 0, increase: 1, baseline: 100, last: 101 } };
  const options = { until: Date.now() - 60_000, context, baseline };
  expect((await failureOf(watchMonitors([await counter([120])], options))).code).toBe('monitor-breached');
  expect((await watchMonitors([await counter([102])], options)).summary).toBe('rejected rose by 2 of 5 allowed');
});

test('baselines can be taken before the change that the window is about', async () => {
  const monitor = await counter([100, 107]);
  const baseline = await takeBaselines([monitor], context);
  expect(baseline.rejected).toMatchObject({ baseline: 100 });
  expect((await failureOf(watchMonitors([monitor], { ...scriptedWindow(), context, baseline }))).message).toContain(
    'rose by 7',
  );
  expect((await failureOf(takeBaselines([await counter([null])], context))).code).toBe('monitor-breached');
});

test('an abort is respected at once', async () => {
  const controller = new AbortController();
  const monitor = await counter([1], { every: '30s' });
  const watching = watchMonitors([monitor], { until: soon(60_000), context: contextWith({}, controller.signal) });
  await goesOn(watching, 150);
  const reason = new Error('cancelled');
  controller.abort(reason);
  await expect(watching).rejects.toBe(reason);
});

test('nothing to watch is said as such, and does not wait', async () => {
  expect((await watchMonitors([], { until: soon(60_000), context })).summary).toBe('nothing to watch');
});
