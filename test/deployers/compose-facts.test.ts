import { expect, test } from 'vitest';
import {
  countContainers,
  describeState,
  isFailing,
  majorVersion,
  parseContainers,
  unsetVariables,
} from '../../src/deployers/compose-facts.js';

const STARTED = '2026-11-21T16:00:00.123456789Z';
const inspected = (state: object, service: string | null = 'web') =>
  JSON.stringify({
    id: 'c0ffee',
    service,
    state: { Status: 'running', ExitCode: 0, StartedAt: STARTED, ...state },
    restarts: 0,
  });

test('of what docker inspect prints only whole answers count, and no output of a health check', () => {
  const web = {
    id: 'c0ffee',
    service: 'web',
    state: 'running',
    health: '',
    exitCode: 0,
    startedAt: STARTED,
    restarts: 0,
  };
  const healthy = inspected({ Health: { Status: 'healthy', Log: [{ Output: 'a value' }] } }, 'db');
  expect(parseContainers(`${inspected({})}\n${healthy}\n`)).toEqual([
    web,
    { ...web, service: 'db', health: 'healthy' },
  ]);
  expect(parseContainers(`time="…" level=warning\n${inspected({}, null)}\n`)).toEqual([]);
});

test.each([
  [{}, false, 'web: running'],
  [{ Health: { Status: 'healthy' } }, false, 'web: running (healthy)'],
  [{ Health: { Status: 'starting' } }, false, 'web: running (starting)'],
  [{ Health: { Status: 'unhealthy' } }, true, 'web: running (unhealthy)'],
  [{ Status: 'exited', ExitCode: 0 }, false, 'web: exited (0)'],
  [{ Status: 'exited', ExitCode: 1 }, true, 'web: exited (1)'],
  [{ Status: 'restarting', ExitCode: 1 }, true, 'web: restarting'],
  [{ Status: 'created' }, true, 'web: created'],
])('%j: failing %s', (more, failing, words) => {
  const [state] = parseContainers(inspected(more));
  expect(isFailing(state!)).toBe(failing);
  expect(describeState(state!)).toBe(words);
});

test('variables that are not set are named once each', () => {
  const warning = (name: string) =>
    `time="2026-11-21T16:00:00Z" level=warning msg="The \\"${name}\\" variable is not set. Defaulting to a blank string."`;
  expect(unsetVariables([warning('A'), warning('B'), warning('A')].join('\n'))).toEqual(['A', 'B']);
  expect(unsetVariables(' Container shop-web-1  Started')).toEqual([]);
});

test('containers are counted by how they ended', () => {
  const output = [
    ' Container shop-web-1  Recreate',
    ' Container shop-web-1  Recreated',
    ' Container shop-db-1  Running',
    ' Container shop-web-1  Starting',
    ' Container shop-web-1  Started',
    ' Container shop-jobs-1  Stopped',
  ].join('\n');
  expect(countContainers(output)).toEqual({ recreated: 1, started: 1, stopped: 1, running: 1 });
});

test.each([
  ['2.24.5\n', 2],
  ['v2.40.0-desktop.1', 2],
  ['1.29.2', 1],
  ['dev', null],
])('version %j', (version, major) => {
  expect(majorVersion(version)).toBe(major);
});
