import { expect, test } from 'vitest';
import {
  countContainers,
  describeState,
  isFailing,
  majorVersion,
  parseStates,
  unsetVariables,
} from '../../src/deployers/compose-facts.js';

const container = (more: object) => ({ Service: 'web', State: 'running', Health: '', ExitCode: 0, ...more });

test('ps is read in both of its formats', () => {
  const [web, db] = [container({}), container({ Service: 'db', Health: 'healthy' })];
  const states = [
    { service: 'web', state: 'running', health: '', exitCode: 0 },
    { service: 'db', state: 'running', health: 'healthy', exitCode: 0 },
  ];
  expect(parseStates(`${JSON.stringify(web)}\n${JSON.stringify(db)}\n`)).toEqual(states);
  expect(parseStates(JSON.stringify([web, db]))).toEqual(states);
  expect(parseStates('time="…" level=warning\n')).toEqual([]);
});

test.each([
  [{}, false, 'web: running'],
  [{ Health: 'healthy' }, false, 'web: running (healthy)'],
  [{ Health: 'starting' }, false, 'web: running (starting)'],
  [{ Health: 'unhealthy' }, true, 'web: running (unhealthy)'],
  [{ State: 'exited', ExitCode: 0 }, false, 'web: exited (0)'],
  [{ State: 'exited', ExitCode: 1 }, true, 'web: exited (1)'],
  [{ State: 'restarting', ExitCode: 1 }, true, 'web: restarting'],
  [{ State: 'created' }, true, 'web: created'],
])('%j: failing %s', (more, failing, words) => {
  const [state] = parseStates(JSON.stringify(container(more)));
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
