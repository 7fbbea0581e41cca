import { expect, test } from 'vitest';
import { reachIn } from '../../src/deployers/compose-config.js';

const VALUE = 'a-value-with-$igns';
const URL_FORM = 'postgres://app:a-value-with-%24igns@db/app';
const config = JSON.stringify({
  services: {
    web: { environment: { SECRET: 'a-value-with-$$igns' }, depends_on: { db: { condition: 'service_started' } } },
    db: { environment: { URL: URL_FORM }, depends_on: { disk: {} } },
    disk: { environment: { SECRET: 'a-value-with-$$igns' } },
    jobs: { command: ['run', '--secret=a-value-with-$$igns'] },
    mail: { environment: { OTHER: 'x' }, depends_on: { web: {} } },
  },
});
const TEXTS = [VALUE, encodeURIComponent(VALUE)];

test('up replaces what it names and what that depends on, where the value stands in it; the others are left', () => {
  expect(reachIn(config, TEXTS, ['web'], true)).toEqual({ replaced: ['web', 'db', 'disk'], left: ['jobs'] });
  expect(reachIn(config, TEXTS, ['mail'], true)).toEqual({ replaced: ['web', 'db', 'disk'], left: ['jobs'] });
});

test('restart touches what it names alone; without names all are meant', () => {
  expect(reachIn(config, TEXTS, ['web'], false)).toEqual({ replaced: ['web'], left: ['db', 'disk', 'jobs'] });
  expect(reachIn(config, TEXTS, undefined, true)).toEqual({ replaced: ['web', 'db', 'disk', 'jobs'], left: [] });
});

test('a value that nobody is given reaches nobody; what is no answer says nothing', () => {
  expect(reachIn(config, ['another-value', ''], ['web'], true)).toEqual({ replaced: [], left: [] });
  expect(reachIn('no JSON', TEXTS, ['web'], true)).toBeNull();
});
