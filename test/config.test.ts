import { expect, test } from 'vitest';
import { workerSettings } from '../src/config.js';

const VARIABLES = {
  KEYTURN_FINGERPRINT_KEY: 'k'.repeat(32),
  KEYTURN_DATABASE_URL: 'postgres://localhost/ledger',
  KEYTURN_INVENTORY: '.',
};

test.each([
  ['the default', {}, {}, 'keyturn'],
  ['an empty variable', { KEYTURN_TASK_QUEUE: '' }, {}, 'keyturn'],
  ['the variable', { KEYTURN_TASK_QUEUE: 'dmz' }, {}, 'dmz'],
  ['the option', { KEYTURN_TASK_QUEUE: 'dmz' }, { taskQueue: 'lab' }, 'lab'],
])('a worker polls one queue, and plans that it makes run there: %s', (_, variables, overrides, queue) => {
  const settings = workerSettings({ ...VARIABLES, ...variables }, overrides);
  expect(settings.taskQueue).toBe(queue);
  expect(settings.variables['KEYTURN_TASK_QUEUE']).toBe(queue);
});
