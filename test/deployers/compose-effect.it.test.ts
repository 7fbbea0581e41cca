/** That a deploy has done what it was for, on a real engine: containers are replaced or restarted, and the project is well. */
import { mkdirSync, renameSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterAll, describe, expect, test } from 'vitest';
import { deployService } from '../../src/activities/services.js';
import type { ActivityTools } from '../../src/activities/as-activity.js';
import { KeyturnError } from '../../src/domain/errors.js';
import type { PlannedService } from '../../src/domain/plan.js';
import { checkSpec, type PlannedCheck } from '../../src/domain/specs/check.js';
import { engineIsMissing } from '../support/engine.js';
import { node, Project, removeProjects, SHOW } from './support/compose-projects.js';
import { inDeep } from '../support/deep.js';

const missing = engineIsMissing('deployers/compose-effect.it.test.ts');
afterAll(removeProjects);

const SHOW_FILE = `const { readFileSync } = require('node:fs'); const value = readFileSync('/run/secrets/secret_key', 'utf8');
  require('node:http').createServer((q, s) => s.end(value)).listen(process.env.PORT, '127.0.0.1')`;
const RUNS_ON = 'setInterval(() => {}, 1000)';

function tools(saved?: unknown): ActivityTools & { saved: unknown } {
  const own = {
    signal: new AbortController().signal,
    saved,
    workflowId: 'rotate:shop/production/SECRET',
    sinceFirstAttempt: 0,
    save: (state: unknown) => void (own.saved = state),
  };
  return own;
}

/** A service that is healthy once it answers; without a port at once. */
function service(project: Project, more: object, port?: number): PlannedService {
  const health = {
    name: 'health',
    type: 'http',
    method: 'GET',
    url: `http://127.0.0.1:${port ?? 0}`,
    expect: { status: 200 },
    timeout: '1s',
    passes: 1,
    every: '100ms',
    within: '30s',
  };
  return {
    name: 'backend',
    deploy: project.spec(more),
    health: port === undefined ? [] : [health as unknown as PlannedService['health'][number]],
  };
}

/** A service that is well by its own check once another one has failed, however long this machine takes for that. */
function wellOnce(project: Project, script: string): PlannedService {
  const check = checkSpec.parse({
    ...{ type: 'command', argv: ['sh', '-c', script], directory: project.directory, environment: ['DOCKER_HOST'] },
    ...{ passes: 1, every: '100ms', within: '60s' },
  }) as PlannedCheck;
  return { ...service(project, {}), health: [{ ...check, name: 'health' }] };
}

const deploy = async (what: PlannedService, changed: readonly string[], own = tools()): Promise<string> =>
  (await deployService(what, changed, { variables: {} }, own)).summary;

async function failure(what: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await what.then(
    () => new Error('expected a failure'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

const SAME = 'backend: backend was not replaced or restarted: it still runs with the values it started with';

describe.skipIf(missing !== null)('a deploy', () => {
  test('of a dotenv value replaces the container; one whose service does not get the variable has done nothing', async () => {
    const port = await getPort();
    const environment = { SECRET: '${SECRET}', PORT: String(port) };
    const project = new Project({ backend: node(SHOW, { environment }) });
    project.write('.env', 'SECRET=first\n');
    const backend = service(project, { services: ['backend'] }, port);
    const { envFile } = project;
    await deploy(backend, [envFile]);
    project.write('.env', 'SECRET=second\n');
    expect(await deploy(backend, [envFile])).toContain('1 recreated');
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('second');

    project.write('.env', 'SECRET=second\nOTHER=third\n');
    const error = await failure(deploy(backend, [envFile]));
    expect(error).toMatchObject({ code: 'deploy-failed', retryable: false, message: SAME });
    expect(error.hint).toContain('environment or env_file');
    // On the way back such a container runs with the right values.
    expect(await deploy(backend, [])).toContain('1 left running');
    // Without names it is enough that one of all is new.
    expect(await failure(deploy(service(project, {}, port), [envFile]))).toMatchObject({ message: SAME });
  });

  inDeep.test('of a mounted file with up has done nothing; restart and recreate bring it into service', async () => {
    const port = await getPort();
    const project = new Project(
      { backend: node(SHOW_FILE, { environment: { PORT: String(port) }, secrets: ['secret_key'] }) },
      { secrets: { secret_key: { file: './secrets/secret_key' } } },
    );
    project.write('.env', '');
    mkdirSync(join(project.directory, 'secrets'));
    const file = join(project.directory, 'secrets', 'secret_key');
    // As a store does it: another file under the same name.
    const set = (value: string): void => {
      project.write('secrets/new', value);
      renameSync(join(project.directory, 'secrets', 'new'), file);
    };
    const shown = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}`)).text();
    const by = (action: string): PlannedService => service(project, { action, services: ['backend'] }, port);
    set('first');
    await deploy(by('up'), [file]);
    set('second');
    const error = await failure(deploy(by('up'), [file]));
    expect(error).toMatchObject({ message: SAME });
    expect(error.hint).toContain('action: restart');
    expect(await shown()).toBe('first');
    await deploy(by('restart'), [file]);
    expect(await shown()).toBe('second');
    set('third');
    await deploy(by('recreate'), [file]);
    expect(await shown()).toBe('third');
  });

  test('that an earlier attempt has done counts, also where nothing of that attempt was noted', async () => {
    const project = new Project({ backend: node(RUNS_ON, { environment: { SECRET: '${SECRET}' } }) });
    project.write('.env', 'SECRET=first\n');
    const backend = service(project, { services: ['backend'] });
    const own = tools();
    await deploy(backend, [project.envFile], own);
    expect(await deploy(backend, [project.envFile], tools())).toContain('1 left running');
    const { deployed } = own.saved as { deployed: string };
    expect(await deploy(backend, [project.envFile], tools(own.saved))).toContain(deployed);
    utimesSync(project.envFile, new Date(), new Date());
    expect(await failure(deploy(backend, [project.envFile], tools()))).toMatchObject({ message: SAME });
  });

  inDeep.test(
    'that breaks another service of the project fails and shows its last words; one broken before is noted',
    async () => {
      const project = new Project({
        backend: node(RUNS_ON, { environment: { SECRET: '${SECRET}' } }),
        mail: node(
          `if (process.env.SECRET !== 'first') { console.log('mail dislikes it'); process.exit(4); } ${RUNS_ON}`,
          {
            environment: { SECRET: '${SECRET}' },
          },
        ),
        broken: node('process.exit(5)', { environment: { SECRET: '${SECRET}' }, restart: 'always' }),
        // Runs in most moments of a look.
        flapping: node('setTimeout(() => process.exit(6), 2000)', {
          environment: { SECRET: '${SECRET}' },
          restart: 'always',
        }),
        done: node('', { environment: { SECRET: '${SECRET}' } }),
        sick: node(RUNS_ON, {
          healthcheck: { test: ['CMD', 'node', '-e', 'process.exit(1)'], interval: '1s', retries: 1 },
        }),
      });
      project.write('.env', 'SECRET=first\n');
      project.compose('up', '-d');
      await expect.poll(() => project.compose('ps', '-a', 'sick')).toContain('(unhealthy)');
      await expect.poll(() => ['broken', 'flapping'].every((name) => project.restarts(name) > 0)).toBe(true);
      project.write('.env', 'SECRET=second\n');
      const own = tools();
      const all = wellOnce(project, 'docker compose ps -a mail | grep -q Exited');
      const error = await failure(deploy(all, [project.envFile], own));
      expect(error).toMatchObject({ code: 'deploy-failed', effect: 'applied', retryable: true });
      expect(error.message).toBe('backend: after the deploy not all of its Compose project is well: mail: exited (4)');
      expect(error.diagnosis).toContain('mail dislikes it');
      // The next attempt still compares with what was before the first.
      expect((await failure(deploy(all, [project.envFile], tools(own.saved)))).message).toContain('mail: exited (4)');

      project.write('.env', 'SECRET=third\n');
      const noted = await deploy(service(project, { services: ['backend'] }), [project.envFile]);
      expect(noted).toContain('mail: exited (4), as before the deploy');
      expect(noted).toMatch(/broken: (restarting|exited \(5\)), as before the deploy/);
      expect(noted).toMatch(/flapping: (restarting|exited \(6\)), as before the deploy/);
      expect(noted).toContain('sick: running (unhealthy), as before the deploy');
      expect(noted).not.toContain('done');
    },
  );

  inDeep.test('after which a service keeps restarting fails, whatever it does in the moment of a look', async () => {
    const project = new Project({
      backend: node(RUNS_ON, { environment: { SECRET: '${SECRET}' } }),
      jobs: node(`setTimeout(() => process.exit(1), 300)`, { environment: { SECRET: '${SECRET}' }, restart: 'always' }),
    });
    project.write('.env', 'SECRET=first\n');
    const failedOnce = `docker inspect -f '{{.RestartCount}}' $(docker compose ps -a -q jobs) | grep -q '[1-9]'`;
    const { message } = await failure(deploy(wellOnce(project, failedOnce), [project.envFile]));
    expect(message).toMatch(/not all of its Compose project is well: jobs: (restarting|exited \(1\))/);
  });

  inDeep.test(
    'of one service replaces what it depends on and that is given the value too: said before, and seen',
    async () => {
      const environment = { SECRET: '${SECRET}' };
      const project = new Project({
        backend: node(RUNS_ON, { environment, depends_on: ['db'] }),
        db: node(RUNS_ON, { environment: { URL: 'postgres://app:${SECRET}@db/app' } }),
        jobs: node(RUNS_ON, { environment }),
      });
      project.write('.env', 'SECRET=first-value\n');
      project.compose('up', '-d');
      const deployer = project.deployer({ services: ['backend'] });
      const reach = await deployer.containers?.reach(['first-value'], tools().signal);
      expect(reach).toEqual({ replaced: ['backend', 'db'], left: ['jobs'] });
      const before = await deployer.containers!.lookBefore(tools().signal);
      project.write('.env', 'SECRET=second-value\n');
      await deploy(service(project, { services: ['backend'] }), [project.envFile]);
      const after = await deployer.containers!.lookBefore(tools().signal);
      const stayed = after.filter(({ id }) => before.some((earlier) => earlier.id === id));
      expect(stayed.map((container) => container.service)).toEqual(['jobs']);
    },
  );
});
