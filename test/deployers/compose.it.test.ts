/** A real Docker Engine with Compose v2, found by DOCKER_HOST or docker's own default; without one, skipped with the reason. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deployer } from '../../src/deployers/deployer.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { deployerContract } from '../contracts/deployer.contract.js';
import { engineIsMissing } from '../support/engine.js';
import { node, Project, removeProjects, SHOW } from './support/compose-projects.js';

const missing = engineIsMissing('deployers/compose.it.test.ts');

const never = new AbortController().signal;

afterAll(removeProjects);

const NOBODY = 'nobody there';

async function shown(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}`).catch(() => null);
  return response ? await response.text() : NOBODY;
}

describe.skipIf(missing !== null)('Docker Compose', () => {
  const planted = ['planted-logged-value-31337', 'planted-url-word-4242'];

  deployerContract('compose', async () => {
    const port = await getPort();
    const working = new Project({ backend: node(SHOW, { environment: { SECRET: '${SECRET}', PORT: String(port) } }) });
    const shout = `console.log('refusing', process.env.SECRET, process.env.DATABASE_URL); process.exit(3)`;
    const failing = new Project({
      // `up -d` waits for what another service depends on, and so fails with it.
      migrate: node(shout, { env_file: '.env' }),
      backend: node('', { depends_on: { migrate: { condition: 'service_completed_successfully' } } }),
    });
    failing.write('.env', `SECRET=${planted[0] ?? ''}\nDATABASE_URL=postgres://app:${planted[1] ?? ''}@db/app\n`);
    const slow = new Project({
      wait: node('setTimeout(() => {}, 60000)'),
      backend: node('', { depends_on: { wait: { condition: 'service_completed_successfully' } } }),
    });
    slow.write('.env', '');
    const noEngine = { ...process.env, DOCKER_HOST: `unix://${working.directory}/no.sock` };
    const set = (value: string) => writeFile(working.envFile, `SECRET=${value}\n`);
    await set('zeroth-value-00000000');
    return {
      working: working.deployer(),
      set,
      deployed: () => shown(port),
      runs: async () => (await shown(port)) !== NOBODY,
      unavailable: working.deployer({}, noEngine),
      failing: failing.deployer(),
      planted,
      slow: slow.deployer(),
    };
  });

  test('the command is the runbook’s own, and the evidence counts containers', async () => {
    const project = new Project({
      backend: node('setInterval(() => {}, 1000)', { environment: { SECRET: '${SECRET}' } }),
    });
    project.write('.env', 'SECRET=one-value\n');
    const first = await project.deployer({ services: ['backend'] }).deploy(never);
    expect(first.summary).toMatch(
      /^backend: docker compose --env-file \.env up -d backend ended in .*: 0 recreated, 1 started/,
    );
    project.write('.env', 'SECRET=another-value\n');
    expect((await project.deployer().deploy(never)).facts).toMatchObject({ recreated: 1, started: 1 });
    expect((await project.deployer().deploy(never)).facts).toMatchObject({ recreated: 0, running: 1 });
  });

  test('a variable of the worker does not win over the env file', async () => {
    const port = await getPort();
    const project = new Project({ backend: node(SHOW, { environment: { SECRET: '${SECRET}', PORT: '${PORT}' } }) });
    project.write('.env', `SECRET=from-the-env-file\nPORT=${port}\n`);
    const worker = { ...process.env, SECRET: 'from-the-shell', PORT: '1', COMPOSE_PROJECT_NAME: 'elsewhere' };
    // The danger is real: this is what Compose does with the worker's own environment.
    const naive = execFileSync('docker', ['compose', '--env-file', '.env', 'config'], {
      cwd: project.directory,
      env: worker,
      encoding: 'utf8',
    });
    expect(naive).toContain('from-the-shell');
    await project.deployer({}, worker).deploy(never);
    await expect.poll(() => shown(port), { timeout: 30_000 }).toBe('from-the-env-file');
    expect(project.compose('ps', '--format', 'json')).toContain(project.name);
  });

  test('restart restarts the same containers', async () => {
    const project = new Project({ backend: node('console.log(Date.now()); setInterval(() => {}, 1000)') });
    project.write('.env', '');
    await project.deployer().deploy(never);
    const id = project.compose('ps', '-q');
    const evidence = await project.deployer({ action: 'restart', services: ['backend'] }).deploy(never);
    expect(evidence.summary).toContain('docker compose --env-file .env restart backend');
    expect(project.compose('ps', '-q')).toBe(id);
    expect(project.compose('logs', '--no-log-prefix', 'backend').trim().split('\n')).toHaveLength(2);
  });

  test('files of one’s own and a project name are passed on', async () => {
    const project = new Project({ backend: node('setInterval(() => {}, 1000)') });
    project.write('.env', '');
    const override = { services: { backend: { labels: { 'keyturn.test': 'override' } } } };
    project.write('override.yml', JSON.stringify(override));
    const named = `${project.name}-named`;
    const deployer = project.deployer({ files: ['compose.yml', 'override.yml'], project: named });
    try {
      const { facts } = await deployer.deploy(never);
      expect(facts?.command).toBe(
        `docker compose --project-directory ${project.directory} -p ${named} -f compose.yml -f override.yml --env-file .env up -d`,
      );
      expect(project.compose('-p', named, 'ps', '--format', 'json')).toContain('keyturn.test=override');
    } finally {
      project.compose('-p', named, 'down', '--timeout', '0');
    }
  });

  test('a variable that is not set is mentioned, and no error', async () => {
    const environment = { OPTIONAL: '${OPTIONAL}' };
    const project = new Project({ backend: node('setInterval(() => {}, 1000)', { environment }) });
    project.write('.env', '');
    expect((await project.deployer().preflight(never)).summary).toContain('not set: OPTIONAL');
    expect((await project.deployer().deploy(never)).facts).toMatchObject({ unsetVariables: 'OPTIONAL' });
  });

  describe('preflight', () => {
    let project: Project;
    beforeAll(() => {
      project = new Project({ backend: node(''), db: node('') });
      project.write('.env', '');
    });
    const refused = async (deployer: Deployer): Promise<string> => {
      const error: unknown = await deployer.preflight(never).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(KeyturnError);
      expect(error).toMatchObject({ code: 'deployer-unavailable', effect: 'none' });
      return (error as KeyturnError).message;
    };

    test('says what was found', async () => {
      const { summary } = await project.deployer({ services: ['backend'] }).preflight(never);
      expect(summary).toMatch(/engine \S+ answers, Compose accepts .*, services backend$/);
    });

    test('finds a service that does not exist', async () => {
      expect(await refused(project.deployer({ services: ['backend', 'fronted'] }))).toContain('no service fronted');
    });

    test('finds a missing directory, env file, program', async () => {
      expect(await refused(project.deployer({ directory: '/nonexistent' }))).toContain('there is no directory');
      expect(await refused(project.deployer({ envFile: '.env.production' }))).toContain('there is no env file');
      expect(await refused(project.deployer({}, { ...process.env, PATH: '/nonexistent' }))).toContain(
        'cannot be started',
      );
    });

    test('finds a Compose file that Compose does not accept, without repeating values', async () => {
      const broken = new Project({});
      broken.write('.env', 'SECRET=planted-in-config-555\n');
      broken.write('compose.yml', 'services: { backend: { image: x, ports: ["${SECRET}"] } }');
      const message = await refused(broken.deployer());
      expect(message).toContain('Compose does not accept');
      expect(message).not.toContain('planted');
      broken.write('compose.yml', JSON.stringify({ services: { backend: node('') } }));
    });

    test('finds an engine that does not answer', async () => {
      const worker = { ...process.env, DOCKER_HOST: 'tcp://127.0.0.1:9' };
      expect(await refused(project.deployer({}, worker))).toContain('no Docker engine answers');
    });
  });

  test('a diagnosis has the state of every service and the last 80 lines of the failing one', async () => {
    const lines = `for (let n = 1; n <= 200; n += 1) console.log('line', n, process.env.SECRET); process.exit(2)`;
    const project = new Project({
      backend: node(lines, { environment: { SECRET: '${SECRET}' } }),
      cache: node('console.log("cache is fine"); setInterval(() => {}, 1000)'),
    });
    project.write('.env', 'SECRET=planted-in-logs-777\n');
    await project.deployer().deploy(never);
    await expect.poll(() => project.compose('ps', '-a', '--format', 'json')).toContain('"ExitCode":2');
    const diagnosis = await project.deployer().diagnose(never);
    expect(diagnosis).toContain('backend: exited (2)');
    expect(diagnosis).toContain('cache: running');
    expect(diagnosis).not.toContain('cache is fine');
    const logged = diagnosis.split('\n').filter((line) => line.startsWith('line '));
    expect(logged).toHaveLength(80);
    expect(logged.at(-1)).toBe('line 200 [$SECRET]');
    expect(diagnosis).not.toContain('planted');
  });

  test('when every container runs and the service is still not well, its log lines are shown', async () => {
    const project = new Project({ backend: node('console.error("cannot reach db"); setInterval(() => {}, 1000)') });
    project.write('.env', '');
    await project.deployer().deploy(never);
    await expect.poll(() => project.deployer().diagnose(never)).toContain('cannot reach db');
  });

  test('a deploy that takes too long is ended and says so', async () => {
    const project = new Project({
      wait: node('setTimeout(() => {}, 60000)'),
      backend: node('', { depends_on: { wait: { condition: 'service_completed_successfully' } } }),
    });
    project.write('.env', '');
    await expect(project.deployer({ timeout: '3s' }).deploy(never)).rejects.toMatchObject({
      code: 'deploy-failed',
      effect: 'unknown',
      message: expect.stringContaining('did not end within 3s') as string,
    });
  });
});
