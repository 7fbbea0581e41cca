import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { freshLedger } from '../support/ledgers.js';
import { freshTaskQueue } from '../support/servers.js';
import { firstValue, writeShop, type ShopOptions } from './support/inventory.js';
import { installKeyturn, type Keyturn, type Running } from './support/keyturn.js';
import { said } from './support/said.js';
import { inDeep } from '../support/deep.js';

const GATE = '{ gates: [promote], allowed: [ben, carla] }';
const taskQueue = freshTaskQueue('cli');
const UNSERVED = freshTaskQueue('far-away');

let keyturn: Keyturn;
let worker: Running;
let env: Record<string, string>;

beforeAll(async () => {
  keyturn = await installKeyturn();
  const systems: ShopOptions[] = [
    { system: 'cli-plain' },
    { system: 'cli-gated', approval: GATE },
    { system: 'cli-rejected', approval: GATE },
    { system: 'cli-rollout', approval: GATE },
    { system: 'cli-broken', broken: true },
    { system: 'cli-watched', approval: GATE },
    { system: 'cli-alone', approval: GATE },
    { system: 'cli-unserved', taskQueue: UNSERVED },
    { system: 'cli-ended', approval: GATE },
    { system: 'cli-once', approval: GATE },
    { system: 'cli-held', approval: GATE },
    {
      system: 'cli-retried',
      deploy: `[sh, -c, 'test -e ${join(keyturn.directory, 'mended')} || { echo no room left; exit 9; }']`,
    },
    {
      system: 'cli-checked',
      checks: `  told: { type: command, argv: [sh, -c, 'test -n "$SHOP_TOKEN"'], environment: [SHOP_TOKEN], passes: 1, within: 1s }
`,
      health: '[alive, told]',
    },
    {
      system: 'cli-flows',
      checks: `  sign-in: { type: command, argv: [touch, ${join(keyturn.directory, 'signed-in')}], passes: 1 }\n`,
      verify: '[sign-in]',
    },
  ];
  for (const system of systems) await writeShop(keyturn, 'systems', { taskQueue, ...system });
  await writeShop(keyturn, 'others', { taskQueue, system: 'cli-elsewhere' });
  env = {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    KEYTURN_DATABASE_URL: (await freshLedger('cli')).url,
    KEYTURN_FINGERPRINT_KEY: 'a fingerprint key of more than 32 characters',
    KEYTURN_TASK_QUEUE: taskQueue,
    KEYTURN_UI_URL: 'http://ui.example.test',
  };
  worker = keyturn.start(['worker', '--task-queue', taskQueue], env);
  await said(worker, `worker for task queue "${taskQueue}"`, 90_000);
}, 180_000);

afterAll(async () => {
  worker.kill('SIGTERM');
  const { exitCode } = await worker;
  await keyturn.remove();
  expect(exitCode).toBe(0);
}, 60_000);

const run = (...args: string[]) => keyturn.run(args, env);

describe('rotate --wait', () => {
  inDeep.test(
    'shows each step as it starts and ends, and leaves a ledger row',
    async () => {
      const ref = 'cli-plain/staging/SESSION_SECRET';
      const { exitCode, stdout, stderr, all } = await run('rotate', ref, '--operator', 'ana', '--wait', '--note', 'Q4');
      expect(exitCode, all).toBe(0);
      expect(stderr).toBe('');
      const lines = stdout.split('\n');
      expect(lines[0]).toMatch(new RegExp(`^started rotate:${ref} \\(rotateSessionSecret, run [0-9a-f-]{36}\\)$`));
      expect(lines[1]).toMatch(
        /http:\/\/ui\.example\.test\/namespaces\/default\/workflows\/rotate%3Acli-plain%2Fstaging%2FSESSION_SECRET\/[0-9a-f-]{36}\/user-metadata$/,
      );
      for (const step of ['Check that everything is ready', 'Stage a new value', 'Switch to the new value']) {
        expect(stdout).toMatch(new RegExp(`^✓ ${step} \\([0-9.]+m?s\\): .+`, 'm'));
      }
      expect(stdout).toMatch(
        new RegExp(
          `${ref}: completed\n\nledger row \\d+\nold value not proven: the inventory declares no proof\nnext due \\d{4}-`,
        ),
      );

      const log = await run('log', ref);
      expect(log.stdout).toMatch(/^Date \| Secret \| Operator \| Method \| Notes\n/);
      expect(log.stdout).toMatch(new RegExp(`\\| ${ref} \\| ana \\| replace \\| .*Q4`));
      const file = await readFile(join(keyturn.directory, 'systems', 'cli-plain.staging.env'), 'utf8');
      const now = /SESSION_SECRET=(\S+)/.exec(file)?.[1] ?? '';
      expect(now).toMatch(/^[0-9a-f]{64}$/);
      expect(now).not.toBe(firstValue('staging'));
      for (const value of [now, firstValue('staging')]) expect(all + log.all).not.toContain(value);
    },
    60_000,
  );

  test('of a run whose service does not come up tells the cause, that all is as before, and exits 3', async () => {
    const ref = 'cli-broken/production/SESSION_SECRET';
    const { exitCode, stdout, stderr } = await run('rotate', ref, '--operator', 'ana', '--wait');
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^↩ Switch to the new value.*the old value serves again/m);
    expect(stdout).toContain(`${ref}: rolled back`);
    expect(stderr).toMatch(/^error: .* failed: web is not healthy: .*everything is as it was before$/ms);
    const file = await readFile(join(keyturn.directory, 'systems', 'cli-broken.production.env'), 'utf8');
    expect(file).toContain(firstValue('production'));
  }, 60_000);

  inDeep.test(
    'a step that fails and is tried again is no silence: attempt, why and when next, wherever the step is',
    async () => {
      const ref = 'cli-retried/staging/SESSION_SECRET';
      const watching = keyturn.start(['rotate', ref, '--operator', 'ana', '--wait'], env);
      await said(watching, 'not done yet: attempt');
      const failed = String.raw`attempt \d+ failed: web: sh -c .* exited with 9.*it is tried again`;
      const now = async (...of: string[]): Promise<string> => (await run('status', ...of)).stdout;
      // Between two attempts; and visibility follows a moment later.
      await Promise.all([
        expect.poll(() => now(ref)).toMatch(new RegExp(String.raw`^not done yet: ${failed} at \d{4}-\d\d-\d\dT`, 'm')),
        expect.poll(() => now()).toMatch(new RegExp(`cli-retried.*${failed}`)),
      ]);
      await keyturn.write('mended', '');
      const { exitCode, stdout, all } = await watching;
      expect(exitCode, all).toBe(0);
      expect(stdout).toMatch(new RegExp(`^not done yet: ${failed}`, 'm'));
    },
    120_000,
  );

  inDeep.test(
    'interrupted leaves the run going, says so, and exits 130',
    async () => {
      const ref = 'cli-watched/staging/SESSION_SECRET';
      const watching = keyturn.start(['rotate', ref, '--operator', 'ana', '--wait'], env);
      await said(watching, 'waits for a decision: promote');
      watching.kill('SIGINT');
      const { exitCode, stderr } = await watching;
      expect(exitCode).toBe(130);
      expect(stderr).toBe(`not watching any more; the run goes on. See it: keyturn status ${ref}`);
      const { stdout } = await run('status', ref);
      expect(stdout).toContain('waits for a decision: promote');
      expect((await run('reject', ref, '--as', 'ben')).exitCode).toBe(0);
    },
    60_000,
  );
});

describe('a gate', () => {
  const ref = 'cli-gated/staging/SESSION_SECRET';
  let command = '';

  test('stops rotate --wait --stop-at-gate with exit 4, naming who may decide and the command', async () => {
    const args = ['rotate', ref, '--operator', 'ana', '--wait', '--stop-at-gate'];
    const { exitCode, stdout } = await run(...args);
    expect(exitCode).toBe(4);
    expect(stdout).toContain('who      ben or carla\n');
    command = /approve {2}(keyturn .+)/.exec(stdout)?.[1] ?? '';
    expect(command).toMatch(
      new RegExp(`^keyturn approve ${ref} --as ben --gate promote --plan [0-9a-f]{32}@[0-9a-f]{12}$`),
    );
  }, 60_000);

  test('is shown by status, for people, for scripts, and as an exit code', async () => {
    const { exitCode, stdout } = await run('status');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Secret or backup +Runbook +Phase +Since +Waits for +Who may decide$/m);
    expect(stdout).toMatch(
      new RegExp(
        `^${ref} +rotateSessionSecret +Approval: use the new value +\\S+ ago +decision: promote +ben or carla`,
        'm',
      ),
    );
    expect((await run('status', ref, '--exit-code')).exitCode).toBe(4);
    const { running } = JSON.parse((await run('status', '--json')).stdout) as { running: { ref: string }[] };
    expect(running.find((one) => one.ref === ref)).toMatchObject({
      workflowType: 'rotateSessionSecret',
      status: { gate: { name: 'promote' } },
    });
  }, 30_000);

  test('holds the secret: a second start is told which run, and exits 1', async () => {
    const { exitCode, stdout, stderr } = await run('rotate', ref, '--operator', 'dora');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(
        `^error: rotate:${ref} is already running \\(run [0-9a-f-]{36} since .*phase "Approval.*asked for by ana`,
      ),
    );
    expect(stderr).toMatch(
      /^hint: one rotation .*keyturn status .*, or http:\/\/ui\.example\.test\/.*; end it: keyturn cancel .* --as YOUR-NAME$/m,
    );
  });

  test.each([
    [['--as', 'ana'], 'ana may not decide here; ben, carla may'],
    [['--as', 'ben', '--gate', 'retire'], 'the open gate is "promote", not "retire"'],
    [['--as', 'ben', '--plan', '0123456789ab'], 'the decision is bound to plan 0123456789ab'],
  ])('refuses %j with the reason, and exits 1', async (args, reason) => {
    const { exitCode, stdout, stderr } = await run('approve', ref, ...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain(`error: refused: ${reason}`);
    expect(stderr).toContain(`hint: see what it waits for, and who may decide: keyturn status ${ref}`);
  });

  test('is approved by the very command that was printed, once', async () => {
    const [, ...args] = command.split(' ');
    const { exitCode, stdout } = await run(...args, '--note', 'checked', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ref,
      decision: 'approve',
      by: 'ben',
      gate: 'promote',
      state: 'approved',
    });
    await completed(ref);
    const again = await run(...args);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain('error: no run of cli-gated/staging/SESSION_SECRET is waiting: none is running');
  }, 60_000);

  test('is on the checklist of the last run, which status shows after its end', async () => {
    const { exitCode, stdout } = await run('status', ref, '--exit-code');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^cli-gated\/staging\/SESSION_SECRET: completed$/m);
    expect(stdout).toMatch(/✓ Approval: use the new value \(.*\): approved by ben \(checked\)/);
  });

  test('that is rejected ends the run with exit 3, nothing changed', async () => {
    const rejected = 'cli-rejected/staging/SESSION_SECRET';
    const watching = keyturn.start(['rotate', rejected, '--operator', 'ana', '--wait'], env);
    await said(watching, 'waits for a decision: promote');
    expect((await run('reject', rejected, '--as', 'carla', '--note', 'not today')).stdout).toBe(
      `${rejected}: gate "promote" rejected`,
    );
    const { exitCode, stdout, stderr } = await watching;
    expect(exitCode).toBe(3);
    expect(stdout).toContain(`${rejected}: rejected`);
    expect(stderr).toContain(`error: ${rejected} was rejected`);
    const file = await readFile(join(keyturn.directory, 'systems', 'cli-rejected.staging.env'), 'utf8');
    expect(file).toContain(firstValue('staging'));
  }, 60_000);
});

inDeep.test(
  'a rollout is watched through its environments in order, and SYSTEM/SECRET decides the one that waits',
  async () => {
    const selector = 'cli-rollout/SESSION_SECRET';
    const watching = keyturn.start(['rotate', selector, '--operator', 'ana', '--wait', '--json'], env);
    for (const environment of ['staging', 'production']) {
      await said(watching, `keyturn approve cli-rollout/${environment}/SESSION_SECRET`);
      const { exitCode, stdout } = await run('approve', selector, '--as', 'ben');
      expect({ exitCode, stdout }).toEqual({
        exitCode: 0,
        stdout: `cli-rollout/${environment}/SESSION_SECRET: gate "promote" approved`,
      });
    }
    const { exitCode, stdout } = await watching;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ref: selector,
      workflowId: `rotate:${selector}`,
      reports: [
        { ref: 'cli-rollout/staging/SESSION_SECRET', outcome: 'completed' },
        { ref: 'cli-rollout/production/SESSION_SECRET', outcome: 'completed' },
      ],
      failure: null,
    });
  },
  90_000,
);

inDeep.test(
  'a run that no worker serves is listed as such; approving it exits 5, saying that nothing was sent',
  async () => {
    const alone = { ...env, KEYTURN_TASK_QUEUE: freshTaskQueue('nobody') };
    const ref = 'cli-alone/staging/SESSION_SECRET';
    const started = await keyturn.run(['rotate', ref, '--operator', 'ana'], alone);
    expect(started.exitCode).toBe(5);
    const queue = alone.KEYTURN_TASK_QUEUE;
    expect(started.stderr).toContain(
      `error: no worker polls the task queue "${queue}": the run is started, and waits until one does\nhint: start one where the secrets are: keyturn worker --task-queue ${queue}; `,
    );
    // Nor does a job that waits for a gate wait for ever.
    const other = 'cli-alone/production/SESSION_SECRET';
    expect((await keyturn.run(['rotate', other, '--operator', 'ana', '--stop-at-gate'], alone)).exitCode).toBe(5);
    const { stdout, stderr: complaint } = await run('status');
    expect(stdout, complaint).toMatch(
      new RegExp(`^${ref} +rotateSessionSecret +unknown +\\S+ ago +a worker: none answers`, 'm'),
    );
    const { exitCode, stderr } = await run('approve', ref, '--as', 'ben');
    expect(exitCode).toBe(5);
    expect(stderr).toMatch(
      /^error: the run is there, but no worker answers for it: nothing was sent\nhint: start one where the secrets are, .*: keyturn worker --task-queue [^;]+; /,
    );
  },
  90_000,
);

inDeep.test(
  'a run whose effects wait on a queue that nobody polls says so, in plan and in status',
  async () => {
    const ref = 'cli-unserved/staging/SESSION_SECRET';
    const nobody = `no worker polls the task queue "${UNSERVED}"`;
    const said = `${nobody}: the run goes on as soon as one does`;
    const planned = await run('plan', ref);
    expect(planned.exitCode, planned.all).toBe(5);
    expect(planned.stdout).toContain(`not asked:\n  ✗ worker: ${nobody}`);
    expect(planned.stdout).not.toContain('start it:');
    const started = await run('rotate', ref, '--operator', 'ana');
    expect(started.exitCode).toBe(5);
    expect(started.stderr).toContain(`error: ${nobody}: the run is started, and waits until one does`);
    await expect.poll(async () => (await run('status', ref)).stdout, { timeout: 60_000 }).toContain(said);
    expect((await run('status')).stdout).toMatch(new RegExp(`^${ref} .* a worker: none polls ${UNSERVED}`, 'm'));
  },
  90_000,
);

inDeep.test(
  'a run that was terminated is not shown as going on, and what comes next is told',
  async () => {
    const ref = 'cli-ended/staging/SESSION_SECRET';
    await run('rotate', ref, '--operator', 'ana', '--wait', '--stop-at-gate');
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    await new Client({ connection }).workflow.getHandle(`rotate:${ref}`).terminate('by hand');
    await connection.close();
    const { stdout } = await run('status', ref);
    expect(stdout).toContain(`${ref}: terminated from outside`);
    expect(stdout).not.toContain('waits for a decision');
    expect(stdout).toMatch(/nothing was undone.*\n.* plan .*\nthe next run settles what it left first: .* rotate /);
  },
  90_000,
);

inDeep.test(
  'with --stop-at-gate alone it is waited for, and the question is printed once',
  async () => {
    const { exitCode, all } = await run(
      'rotate',
      'cli-once/staging/SESSION_SECRET',
      '--operator',
      'ana',
      '--stop-at-gate',
    );
    expect(exitCode).toBe(4);
    expect([...all.matchAll(/waits for a decision/g)]).toHaveLength(1);
  },
  90_000,
);

test.each([
  [['log', 'cli-plan'], 'the inventory has no system "cli-plan"', 'did you mean "cli-plain"?'],
  [['log', 'cli-plain/staging/SESION_SECRET'], '', 'did you mean "SESSION_SECRET"?'],
  [['approve', 'cli-plain/staging/SESION_SECRET', '--as', 'ben'], '', 'did you mean "SESSION_SECRET"?'],
])('a name that nothing has is a typing error: %j', async (args, message, hint) => {
  const { exitCode, stdout, stderr } = await run(...args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr).toContain(hint);
});

test('a level of the log that there is not is bad usage', async () => {
  const { exitCode, stderr } = await keyturn.run(['worker'], { ...env, KEYTURN_LOG_LEVEL: 'loud' });
  expect(exitCode).toBe(2);
  expect(stderr).toBe('error: KEYTURN_LOG_LEVEL is "loud", which is no level\nhint: one of debug, info, warn, error');
});

test('nothing that was never run is found', async () => {
  const { exitCode, stderr } = await run('status', 'cli-plain/production/SESSION_SECRET');
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: no run of cli-plain\/production\/SESSION_SECRET is known to Temporal\nhint: /);
});

describe('plan asks the worker, whose inventory, variables and disks are what counts', () => {
  test('a variable that a check needs is missing where the worker is, whatever this shell has', async () => {
    const ref = 'cli-checked/staging/SESSION_SECRET';
    const { exitCode, stdout } = await keyturn.run(['plan', ref], { ...env, SHOP_TOKEN: 'only-in-this-shell' });
    expect(exitCode, stdout).toBe(1);
    expect(stdout).toMatch(/asked now, changing nothing, of the worker \d+@\S+, which reads .*systems:/);
    expect(stdout).toMatch(/✗ web: told: .*SHOP_TOKEN/);
    expect(stdout).toContain('a run would stop at its first step; nothing has been changed');
    const rotated = await run('rotate', ref, '--operator', 'ana', '--wait');
    expect(rotated.stderr).toMatch(/^error: .*web: told: .*SHOP_TOKEN/m);
  }, 60_000);

  inDeep.test(
    'a system that only this inventory has is said to be unknown by whom, to plan and to rotate',
    async () => {
      const here = { ...env, KEYTURN_INVENTORY: join(keyturn.directory, 'others') };
      const ref = 'cli-elsewhere/staging/SESSION_SECRET';
      for (const args of [
        ['plan', ref],
        ['rotate', ref, '--operator', 'ana', '--wait'],
      ]) {
        const { exitCode, stderr } = await keyturn.run(args, here);
        expect(exitCode, stderr).toBe(2);
        expect(stderr).toMatch(
          /^error: no system "cli-elsewhere" \(says the worker \d+@\S+, which reads .*systems\)$/m,
        );
        expect(stderr).toMatch(/^hint: .*start the worker with that one \(--inventory or KEYTURN_INVENTORY\)$/m);
      }
      // And the other way round: this command's own.
      const { stderr } = await keyturn.run(['plan', 'cli-plain/staging/SESSION_SECRET'], here);
      expect(stderr).toMatch(/^error: no system "cli-plain", says this command's inventory, .*others$/m);
    },
    60_000,
  );

  inDeep.test(
    'what differs in the same system is the worker’s, and it is said',
    async () => {
      await writeShop(keyturn, 'changed', { taskQueue, system: 'cli-plain', approval: GATE });
      const other = { ...env, KEYTURN_INVENTORY: join(keyturn.directory, 'changed') };
      const { stdout } = await keyturn.run(['plan', 'cli-plain/staging/SESSION_SECRET'], other);
      expect(stdout).toContain('who approves: nobody, no gates');
      expect(stdout).toMatch(
        /! inventory: the worker reads .*systems\/cli-plain\.yaml, this command .*changed\/cli-plain\.yaml; /,
      );
    },
    60_000,
  );

  inDeep.test(
    'flows are named, and tried only with --flows',
    async () => {
      const ref = 'cli-flows/staging/SESSION_SECRET';
      const trace = join(keyturn.directory, 'signed-in');
      const named = await run('plan', ref);
      expect(named.stdout).toContain(
        `! flows: not tried, since signing in leaves traces: sign-in; a run's first step tries them, and so does keyturn plan ${ref} --flows`,
      );
      await expect(readFile(trace)).rejects.toThrow('ENOENT');
      const tried = await run('plan', ref, '--flows');
      expect(tried.exitCode, tried.all).toBe(0);
      expect(tried.stdout).toMatch(/✓ flow sign-in: /);
      await readFile(trace);
    },
    60_000,
  );

  inDeep.test(
    'it takes no lock, leaves nothing in the ledger, and is no run of its own',
    async () => {
      const ref = 'cli-held/staging/SESSION_SECRET';
      await run('rotate', ref, '--operator', 'ana', '--wait', '--stop-at-gate');
      const { exitCode, stdout } = await run('plan', ref);
      expect(exitCode).toBe(1);
      expect(stdout).toMatch(
        /✗ other runs of it: rotate:cli-held.* is under way \(run \S+ since \S+, phase "awaiting approval"\)/,
      );
      expect(stdout).not.toContain('left versions behind');
      expect((await run('status', ref)).stdout).toContain('waits for a decision: promote');
      expect((await run('log', ref)).stdout).not.toContain('cli-held');
      expect((await run('status')).stdout).not.toContain('previewRotation');
      await run('reject', ref, '--as', 'ben');
    },
    60_000,
  );

  test('the workflow behind it is refused under a lock’s id, and with what it does not know', async () => {
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    const { workflow } = new Client({ connection });
    const asked = { system: 'cli-plain', environment: 'staging', secret: 'SESSION_SECRET', operator: 'ana' };
    const start = (workflowId: string, input: object) =>
      workflow.execute('previewRotation', { workflowId, taskQueue, args: [input] });
    for (const workflowId of ['rotate:cli-plain/staging/SESSION_SECRET', 'service:some-host:/srv/app'])
      await expect(start(workflowId, asked)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('is the lock of something else') as string },
      });
    await expect(start(`plan:${taskQueue}`, { ...asked, stage: true })).rejects.toMatchObject({
      cause: { type: 'bad-input' },
    });
    await connection.close();
  }, 60_000);
});

async function completed(ref: string): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (Date.now() < deadline) {
    const { runs } = JSON.parse((await run('status', ref, '--json')).stdout) as { runs: { state: string }[] };
    if (runs[0]?.state === 'COMPLETED') return;
    await sleep(500);
  }
  throw new Error(`${ref} did not complete`);
}
