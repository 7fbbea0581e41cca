/** `keyturn cancel`, on the shop: every run can be cancelled, and its secret is free again. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { freshLedger } from '../support/ledgers.js';
import { freshTaskQueue } from '../support/servers.js';
import { firstValue, writeShop, type ShopOptions } from './support/inventory.js';
import { installKeyturn, type Keyturn, type Running } from './support/keyturn.js';
import { said } from './support/said.js';
import { inDeep } from '../support/deep.js';

const GATE = '{ gates: [promote], allowed: [ben, carla] }';
const taskQueue = freshTaskQueue('cancel');
const NOBODY = freshTaskQueue('nobody');
/** Its worker comes and goes. */
const LEFT = freshTaskQueue('left');

let keyturn: Keyturn;
let env: Record<string, string>;
const workers: Running[] = [];

beforeAll(async () => {
  keyturn = await installKeyturn();
  const systems: ShopOptions[] = [
    { system: 'cancel-gated', approval: GATE },
    { system: 'cancel-led', approval: GATE },
    { system: 'cancel-alone' },
    { system: 'cancel-unserved', taskQueue: NOBODY },
    { system: 'cancel-left', approval: GATE, taskQueue: LEFT },
  ];
  for (const system of systems) await writeShop(keyturn, 'systems', { taskQueue, ...system });
  env = {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    KEYTURN_DATABASE_URL: (await freshLedger('cancel')).url,
    KEYTURN_FINGERPRINT_KEY: 'a fingerprint key of more than 32 characters',
    KEYTURN_TASK_QUEUE: taskQueue,
  };
  await startWorker(taskQueue);
}, 180_000);

afterAll(async () => {
  for (const worker of workers) worker.kill('SIGTERM');
  await Promise.all(workers);
  await keyturn.remove();
}, 60_000);

const run = (...args: string[]) => keyturn.run(args, env);

/** @returns what ends it. */
async function startWorker(queue: string): Promise<() => Promise<void>> {
  const worker = keyturn.start(['worker', '--task-queue', queue], env);
  workers.push(worker);
  await said(worker, `worker for task queue "${queue}"`, 90_000);
  return async () => {
    worker.kill('SIGTERM');
    await worker;
  };
}

async function isAsBefore(system: string): Promise<void> {
  const file = await readFile(join(keyturn.directory, 'systems', `${system}.staging.env`), 'utf8');
  expect(file).toBe(`# ${system}\nSESSION_SECRET=${firstValue('staging')}\n`);
}

test.concurrent(
  'what is to be undone is said first, and takes --yes; who cancelled it is on the record',
  async () => {
    const ref = 'cancel-gated/staging/SESSION_SECRET';
    await run('rotate', ref, '--operator', 'ana', '--stop-at-gate');
    // The one that runs, whichever name it is called by; what is to be typed then has its own.
    expect(await run('cancel', 'cancel-gated/SESSION_SECRET', '--as', 'ben')).toMatchObject({
      stderr: expect.stringContaining(`if that is wanted: keyturn cancel ${ref} --as ben --yes`) as string,
    });
    const asked = await run('cancel', ref, '--as', 'ben');
    expect(asked).toMatchObject({ exitCode: 1, stdout: '' });
    expect(asked.stderr).toBe(
      `error: ${ref} is not cancelled yet: if it is, it undoes "Stage a new value"\nhint: if that is wanted: keyturn cancel ${ref} --as ben --yes`,
    );
    expect((await run('status', ref)).stdout).toContain('waits for a decision');

    const { exitCode, stdout } = await run('cancel', ref, '--as', 'ben', '--note', 'not today', '--yes', '--wait');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${ref}: its cancellation is asked for: it undoes "Stage a new value"`);
    expect(stdout).toContain(`${ref}: cancelled`);
    // Undone is no time to decide.
    expect(stdout).not.toMatch(/waits for a decision|Workflow cancelled/);
    await isAsBefore('cancel-gated');
    expect((await run('log', ref)).stdout).toContain('cancelled by ben (not today)');
    const again = await run('cancel', ref, '--as', 'ben');
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toMatch(
      new RegExp(`^error: no run of ${ref} is running\nhint: see what runs: keyturn status; `),
    );
  },
  120_000,
);

test.concurrent(
  'a rollout is cancelled with the environment that runs',
  async () => {
    const selector = 'cancel-led/SESSION_SECRET';
    await run('rotate', selector, '--operator', 'ana', '--stop-at-gate');
    const { exitCode, stdout } = await run('cancel', selector, '--as', 'ben', '--yes', '--wait', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ref: selector,
      by: 'ben',
      will: [{ ref: 'cancel-led/staging/SESSION_SECRET', will: 'it undoes "Stage a new value"' }],
      state: 'ended',
      reports: [{ ref: 'cancel-led/staging/SESSION_SECRET', outcome: 'cancelled' }],
    });
    const over = await run('status', selector, '--exit-code');
    expect(over.exitCode).toBe(3);
    expect(over.stdout).toMatch(
      new RegExp(`^rotate:${selector}: cancelled, started \\S+: it has begun cancel-led/staging/SESSION_SECRET\n`),
    );
    expect(over.stdout).toContain('cancel-led/staging/SESSION_SECRET: cancelled\n');
    expect(over.stdout).not.toContain('Workflow canceled');
    await isAsBefore('cancel-led');
  },
  120_000,
);

test.concurrent(
  'a run that no worker has ever taken on is ended at once, and its secret is free',
  async () => {
    const ref = 'cancel-alone/staging/SESSION_SECRET';
    const alone = { ...env, KEYTURN_TASK_QUEUE: NOBODY };
    await keyturn.run(['rotate', ref, '--operator', 'ana'], alone);
    const { exitCode, stdout } = await run('cancel', ref, '--as', 'ben');
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: `${ref}: ended; no worker had taken it on, so nothing was begun, and its name is free`,
    });
    // Also under the name for all environments, where no run of that name ever was.
    for (const name of [ref, 'cancel-alone/SESSION_SECRET']) {
      const shown = await run('status', name, '--exit-code');
      expect(shown).toMatchObject({
        exitCode: 3,
        stdout: `${ref}: ended before any worker took it on, so nothing was begun\ncancelled by ben; no worker had taken it on, so nothing was begun`,
      });
    }
    expect((await run('rotate', ref, '--operator', 'ana', '--wait')).exitCode).toBe(0);
  },
  120_000,
);

inDeep.test.concurrent(
  'a run whose environment has no worker, and that has begun nothing there, ends as cancelled',
  async (context) => {
    const ref = 'cancel-unserved/staging/SESSION_SECRET';
    await run('rotate', ref, '--operator', 'ana');
    await context.expect
      .poll(async () => (await run('status', ref)).stdout, { timeout: 60_000 })
      .toContain(`no worker polls the task queue "${NOBODY}"`);
    const { exitCode, stdout } = await run('cancel', ref, '--as', 'ben', '--wait');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`${ref}: cancelled`);
  },
  120_000,
);

inDeep.test.concurrent(
  'a run whose worker is gone says what is undone once there is one, and undoes it then',
  async (context) => {
    const ref = 'cancel-left/staging/SESSION_SECRET';
    const there = { ...env, KEYTURN_TASK_QUEUE: LEFT };
    const endWorker = await startWorker(LEFT);
    await keyturn.run(['rotate', ref, '--operator', 'ana', '--stop-at-gate'], there);
    await endWorker();
    const asked = await run('cancel', ref, '--as', 'ben');
    expect(asked.exitCode).toBe(1);
    const will = `what it has begun is undone as soon as a worker polls the task queue "${LEFT}" (keyturn worker --task-queue ${LEFT})`;
    expect(asked.stderr).toContain(`error: ${ref} is not cancelled yet: if it is, ${will}`);
    expect(asked.stderr).toContain(
      `temporal workflow terminate --workflow-id rotate:${ref} frees it and undoes nothing`,
    );
    const { exitCode, stdout } = await run('cancel', ref, '--as', 'ben', '--yes');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`its cancellation is asked for: ${will}`);
    await startWorker(LEFT);
    await context.expect
      .poll(async () => (await run('status', ref)).stdout, { timeout: 60_000 })
      .toContain(`${ref}: cancelled`);
    await isAsBefore('cancel-left');
    expect((await run('log', ref)).stdout).toContain('cancelled by ben');
  },
  180_000,
);
