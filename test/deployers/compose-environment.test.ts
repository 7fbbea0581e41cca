import { expect, test } from 'vitest';
import { composeEnvironment } from '../../src/deployers/compose-environment.js';

const worker = {
  PATH: '/bin',
  HOME: '/home/keyturn',
  LANG: 'C.UTF-8',
  TMPDIR: '/tmp',
  DOCKER_HOST: 'unix:///run/docker.sock',
  DOCKER_CONFIG: '/etc/docker-cli',
  COMPOSE_FILE: 'elsewhere.yml',
  COMPOSE_PROJECT_NAME: 'elsewhere',
  COMPOSE_ENV_FILES: 'elsewhere.env',
  SESSION_SECRET: 'from the shell',
  NODE_ENV: 'test',
};

test('Compose sees how to reach its engine, and nothing that would win over the env file', () => {
  expect(composeEnvironment('/srv/shop', worker)).toEqual({
    PATH: '/bin',
    HOME: '/home/keyturn',
    DOCKER_HOST: 'unix:///run/docker.sock',
    DOCKER_CONFIG: '/etc/docker-cli',
    PWD: '/srv/shop',
  });
});

test('a worker without PATH still finds the system’s programs', () => {
  expect(composeEnvironment('/srv', {}).PATH).toContain('/usr/bin');
});
