import { expect, test } from 'vitest';
import { watchMonitors, type MonitorState } from '../../src/checks/monitor.js';
import type { DeploysSeen } from '../../src/checks/others-deploys.js';
import { contextWith, failureOf } from './contexts.js';
import { serve } from './local-server.js';
import { planned, plannedMonitor } from './planned.js';

const context = contextWith();

/** A service whose counter and health follow a script, and a lock on it that follows the same script, one entry a reading. */
async function script(entries: readonly { count: number | null; by?: string; mark?: string }[]) {
  let at = 0;
  const entry = () => entries[Math.min(at, entries.length - 1)];
  const { url } = await serve((_, response) => {
    const count = entry()?.count ?? null;
    response.statusCode = count === null ? 503 : 200;
    response.end(JSON.stringify({ rejected: count }));
  });
  let now = 0;
  return {
    monitor: plannedMonitor('rejected', {
      type: 'counter',
      measure: { type: 'http', url, json: '/rejected' },
      every: '20ms',
      maximumIncrease: 5,
    }),
    health: plannedMonitor(
      'healthy',
      { type: 'check', check: 'health', every: '20ms' },
      { check: planned('http', { url }) },
    ),
    options: {
      until: 200,
      context,
      clock: {
        now: () => now,
        sleep: (milliseconds: number) => {
          now += milliseconds;
          at += 1;
          return Promise.resolve();
        },
      },
      deploys: { look: () => Promise.resolve({ by: entry()?.by ?? null, mark: entry()?.mark ?? '' }) },
    },
    elapsed: () => now,
  };
}

test('what a counter does while another run deploys is not held against the watched change; what it did before and does after is', async () => {
  const quiet = await script([
    { count: 100 },
    { count: 103 },
    { count: 180, by: 'shop/production/DB', mark: '1' },
    { count: 200, by: 'shop/production/DB', mark: '1' },
    { count: 200, mark: '1' },
    { count: 202, mark: '1' },
  ]);
  const { summary } = await watchMonitors([quiet.monitor], quiet.options);
  expect(summary).toBe('rejected rose by 5 of 5 allowed; deployed meanwhile by shop/production/DB, paused for 1s');
  expect(quiet.elapsed(), 'the pause does not count').toBeGreaterThanOrEqual(1_200);

  const breached = await script([
    { count: 100 },
    { count: 103 },
    { count: 200, by: 'shop/production/DB', mark: '1' },
    { count: 200, mark: '1' },
    { count: 203, mark: '1' },
  ]);
  const error = await failureOf(watchMonitors([breached.monitor], breached.options));
  expect(error.message).toContain('rejected rose by 6');
  expect(error.hint).toContain('deployed meanwhile by shop/production/DB');
  expect(error.hint).toContain('which of the changes is the cause is not known');
});

test('a check that fails while another run has stopped the service has not failed', async () => {
  const own = await script([
    { count: 1 },
    { count: null, by: 'shop/production/KEY', mark: '1' },
    { count: 1, mark: '1' },
  ]);
  expect((await watchMonitors([own.health], own.options)).facts).toMatchObject({ 'healthy.failures': 0 });
});

test('a deploy that began and ended between two looks is found out all the same', async () => {
  const own = await script([{ count: 100 }, { count: 400, mark: 'between' }, { count: 401, mark: 'between' }]);
  expect((await watchMonitors([own.monitor], own.options)).facts).toMatchObject({ 'rejected.increase': 1 });
});

test('an attempt that takes over knows of deploys that nobody watched', async () => {
  const states: { monitors: MonitorState; seen: DeploysSeen | null }[] = [];
  const first = await script([{ count: 100, mark: '1' }]);
  await watchMonitors([first.monitor], {
    ...first.options,
    onProgress: (monitors, { seen }) => void states.push({ monitors, seen }),
  });
  const saved = states.at(-1);
  const second = await script([{ count: 900, mark: '2' }]);
  const taken = { baseline: saved?.monitors ?? {}, ...(saved?.seen ? { deploysSeen: saved.seen } : {}) };
  expect((await watchMonitors([second.monitor], { ...second.options, ...taken })).facts).toMatchObject({
    'rejected.increase': 0,
  });
});
