import { expect, test } from 'vitest';
import { minimalEnvironment } from '../../src/processes/environment.js';

const worker = {
  PATH: '/bin',
  HOME: '/home/keyturn',
  LANG: 'C.UTF-8',
  TMPDIR: '/tmp',
  SESSION_SECRET: 'x',
  NODE_ENV: 'test',
};

test('a command sees PATH, HOME, LANG, TMPDIR and what is named', () => {
  expect(minimalEnvironment(['NODE_ENV', 'UNSET'], worker)).toEqual({
    PATH: '/bin',
    HOME: '/home/keyturn',
    LANG: 'C.UTF-8',
    TMPDIR: '/tmp',
    NODE_ENV: 'test',
  });
});

test('a worker without PATH still finds the system’s programs', () => {
  expect(minimalEnvironment([], {})).toEqual({ PATH: '/usr/local/bin:/usr/bin:/bin' });
});
