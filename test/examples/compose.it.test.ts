/** The mediavault of its Compose file, on a real engine: `docker compose --env-file .env up -d backend`, as document 000 does it. */
import { contextFrom } from '../checks/contexts.js';
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { credentialResolver } from '../../src/activities/credentials.js';
import { passConsecutively } from '../../src/checks/consecutive.js';
import { proveOldRefused } from '../../src/checks/proof.js';
import { createApplicationRole } from '../../src/demo/systems/application-role.js';
import { openDeployer } from '../../src/deployers/open-deployer.js';
import type { RotationPlan } from '../../src/domain/plan.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { loadInventory } from '../../src/inventory/load.js';
import { resolvePlan } from '../../src/inventory/resolve.js';
import { makeHostile } from '../support/hostile-database.js';
import { freshDatabase, freshRoleName } from '../support/servers.js';
import { EXAMPLES } from './support/running-system.js';

const IMAGE = process.env.MEDIAVAULT_IMAGE ?? 'keyturn-test/node:20';
const engine = await execa('docker', ['image', 'inspect', IMAGE], { reject: false, timeout: 10_000 });
const NODE_MODULES = join(EXAMPLES, '..', 'node_modules');
const secret = (): string => randomBytes(32).toString('hex');

describe.skipIf(engine.exitCode !== 0)(`mediavault under Compose (image ${IMAGE})`, { timeout: 180_000 }, () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let plan: RotationPlan;
  let variables: Record<string, string>;
  const signal = new AbortController().signal;
  const context = contextFrom((ref) => credentialResolver(variables)(ref), signal);
  const compose = (...args: string[]) =>
    execa('docker', ['compose', '--env-file', '.env', ...args], { cwd: directory.path, reject: false, all: true });
  const set = (key: string, value: string): void => {
    const file = join(directory.path, '.env');
    const text = readFileSync(file, 'utf8').replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`);
    writeFileSync(file, text);
  };
  const get = (key: string): string =>
    new RegExp(`^${key}=(.*)$`, 'm').exec(readFileSync(join(directory.path, '.env'), 'utf8'))?.[1] ?? '';
  const deployer = () => openDeployer(plan.services[0]!.deploy, 'backend');
  const allPass = async (): Promise<void> => {
    for (const check of [...plan.services[0]!.health, ...plan.verify]) await passConsecutively(check, context);
  };

  beforeAll(async () => {
    directory = await temporaryDirectory('compose');
    const database = await freshDatabase('mediavault_compose');
    const role = freshRoleName('mediavault_compose');
    const password = new SecretValue(secret());
    await createApplicationRole(database.url, role, password);
    await makeHostile(database.url, role, { adopt: false });
    const port = String(await getPort({ host: '127.0.0.1', reserve: true }));
    const settings = {
      SESSION_SECRET: secret(),
      INTEGRATION_ENCRYPTION_KEY: secret(),
      DB_HOST: '127.0.0.1',
      DB_PORT: new URL(inject('postgresUrl')).port,
      DB_USER: role,
      DB_PASSWORD: password.reveal(),
      POSTGRES_DB: database.name,
      PORT: port,
      SMOKE_PASSWORD: secret(),
      MEDIAVAULT_IMAGE: IMAGE,
      // The root of the test image belongs to root alone; without capabilities that account is nobody special.
      MEDIAVAULT_USER: '0:0',
      EXAMPLES_DIRECTORY: EXAMPLES,
      MODULES_DIRECTORY: NODE_MODULES,
      COMPOSE_PROJECT_NAME: `keyturn-${randomBytes(4).toString('hex')}`,
    };
    copyFileSync(join(EXAMPLES, 'mediavault', 'docker-compose.yml'), join(directory.path, 'docker-compose.yml'));
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    writeFileSync(join(directory.path, '.env'), `${lines.join('\n')}\n`, { mode: 0o600 });
    variables = {
      MEDIAVAULT_COMPOSE_PORT: port,
      MEDIAVAULT_COMPOSE_DIRECTORY: directory.path,
      MEDIAVAULT_COMPOSE_ADMIN_URL: database.url,
      MEDIAVAULT_SMOKE_PASSWORD: settings.SMOKE_PASSWORD,
    };
    plan = resolvePlan(await loadInventory(EXAMPLES), {
      ref: { system: 'mediavault', environment: 'compose', secret: 'SESSION_SECRET' },
      operator: 'ana@example.test',
      reason: 'routine',
      requestId: 'request',
      note: null,
      variables,
    });
  }, 60_000);

  afterAll(async () => {
    await compose('down', '--timeout', '5');
    await directory.remove();
  }, 60_000);

  it('comes up, is well, and passes the flows', async () => {
    await deployer().preflight(signal);
    await deployer().deploy(signal);
    await allPass();
    const ps = await compose('up', '-d', '--wait', 'backend');
    expect(ps.all).toContain('Healthy');
  });

  it('runs on a new SESSION_SECRET after a deployment, and refuses the old one', async () => {
    const [old, current] = [get('SESSION_SECRET'), secret()];
    set('SESSION_SECRET', current);
    await deployer().deploy(signal);
    await allPass();
    const values = { old: new SecretValue(old), current: new SecretValue(current) };
    expect((await proveOldRefused(plan.proof!, { ...values, context })).facts).toMatchObject({ refused: 5 });
  });

  it('says in its last log lines why it does not start, and not with which value', async () => {
    const good = get('SESSION_SECRET');
    set('SESSION_SECRET', 'changeme-changeme-changeme-changeme');
    await deployer()
      .deploy(signal)
      .catch(() => undefined);
    await expect
      .poll(async () => (await compose('logs', '--tail=80', 'backend')).all, { timeout: 30_000, interval: 500 })
      .toContain('SESSION_SECRET is a placeholder');
    expect(await deployer().diagnose(signal)).toContain('SESSION_SECRET is a placeholder');
    expect((await compose('logs', 'backend')).all).not.toContain('changeme-');
    set('SESSION_SECRET', good);
    await deployer().deploy(signal);
    await allPass();
  });
});
