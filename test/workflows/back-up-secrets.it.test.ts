/** Runs of backups on a real Temporal server, with the real activities, stores, ledger, age and gpg. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { generateIdentity } from 'age-encryption';
import type { WorkflowHandle } from '@temporalio/client';
import { beforeAll, describe, expect, it } from 'vitest';
import { restore } from '../../src/backups/restore.js';
import type { RotationReport } from '../../src/domain/report.js';
import { backupWorkflowId } from '../../src/domain/backup.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { STATUS_QUERY } from '../../src/domain/messages.js';
import type { RolloutReport, RunStatus } from '../../src/domain/status.js';
import { failureOf } from './support/driving.js';
import { openBackupStage, type BackupStage, type BackupWorld } from './support/backups.js';
import { phasesOf } from './support/phases.js';

const codePath = fileURLToPath(new URL('../../dist/workflow-bundle.js', import.meta.url));
const KEY = { environment: 'production', backup: 'key' };

let stage: BackupStage;
beforeAll(async () => {
  stage = await openBackupStage();
});

async function reportOf(handle: WorkflowHandle): Promise<RotationReport> {
  return (await handle.result()) as RotationReport;
}

async function rowsOf(world: BackupWorld): Promise<readonly { outcome: string; notes: string }[]> {
  return await stage.ledger.list({ system: world.system });
}

/** Everything that Temporal keeps of a run, as one text; payloads are base64 there. */
async function historyText(handle: WorkflowHandle): Promise<string> {
  const { events } = await handle.fetchHistory();
  const json = JSON.stringify(events, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
  );
  // A Buffer has been through its own toJSON by then.
  return json.replaceAll(/\{"type":"Buffer","data":\[([\d,]*)\]\}/g, (_, bytes: string) =>
    JSON.stringify(Buffer.from(bytes.split(',').map(Number)).toString('utf8')),
  );
}

function expectNoSecrets(world: BackupWorld, where: string, text: string): void {
  for (const secret of [...Object.values(world.values), world.passphrase, world.identity]) {
    expect(text.includes(secret), where).toBe(false);
    expect(text.includes(Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -2)), where).toBe(false);
  }
}

describe('one backup', () => {
  it('is made, proven, drawn and recorded, and restores', async () => {
    const world = await stage.world();
    const report = await stage.withWorker(world, async () => {
      const handle = await stage.start(world, { ...KEY, note: 'before the audit' });
      const done = await reportOf(handle);
      const status = await handle.query<RunStatus>(STATUS_QUERY);
      expect(status).toMatchObject({
        phase: 'completed',
        method: 'backup (age)',
        ref: `${world.system}/production/key`,
      });
      const { events } = await handle.fetchHistory();
      expect(events?.length).toBeLessThan(80);
      expect(await phasesOf(handle)).toEqual([
        'preparing: checkBackup',
        expect.stringMatching(/^backing up: makeArchive, proveArchive, /),
        expect.stringMatching(/^completed: /),
      ]);
      return done;
    });
    expect(report).toMatchObject({ outcome: 'completed', todo: [], nextDueAt: null, method: 'backup (age)' });
    expect(report.steps.map(({ name, state }) => `${name}: ${state}`)).toEqual([
      'Check that everything is ready: done',
      'Make the archive: done',
      'Prove the restore: done',
      'Draw printable codes: done',
      'Record in the ledger: done',
    ]);
    const files = await world.files();
    const archive = files.find((file) => file.endsWith('.age'))!;
    expect(files).toEqual([archive, `${archive}.json`, ...files.filter((file) => /\.qr-\dof\d\.svg$/.test(file))]);
    expect(files.length).toBeGreaterThanOrEqual(3);
    const contents = await restore(
      await readFile(join(world.root, 'vault', archive)),
      { identity: new SecretValue(world.identity) },
      new AbortController().signal,
    );
    expect(contents.values.map(({ value }) => value.reveal())).toEqual([world.values.KEY]);
    expect(await rowsOf(world)).toMatchObject([
      {
        secret: 'key',
        kind: 'backup',
        method: 'backup (age)',
        outcome: 'completed',
        nextDueAt: null,
        notes: 'of KEY; before the audit',
      },
    ]);
  });

  it('leaves no value and no key in history, log, ledger and files', async () => {
    const world = await stage.world();
    await stage.withWorker(world, async () => {
      for (const backup of ['key', 'session']) {
        const handle = await stage.start(world, { environment: 'production', backup });
        expect((await reportOf(handle)).outcome).toBe('completed');
        expectNoSecrets(world, `history of ${backup}`, await historyText(handle));
      }
    });
    expectNoSecrets(world, 'log', world.logged.join('\n'));
    expectNoSecrets(world, 'ledger', JSON.stringify(await rowsOf(world)));
    expectNoSecrets(world, 'files', await world.everything());
    expectNoSecrets(world, 'names', (await world.files()).join('\n'));
  });

  it('changes no date of the secret that it is of, even when it has its name', async () => {
    const world = await stage.world();
    const rotation = {
      requestId: `rotation-of-${world.system}`,
      ...{ system: world.system, environment: 'production', secret: 'key', kind: 'signing', operator: 'ana' },
      ...{ method: 'replace', reason: 'routine', outcome: 'completed' as const, proof: null, notes: '', evidence: [] },
      startedAt: '2026-11-01T00:00:00.000Z',
      finishedAt: '2026-11-01T00:05:00.000Z',
      nextDueAt: '2027-01-30T00:05:00.000Z',
    };
    await stage.ledger.append(rotation);
    await stage.withWorker(world, async () => reportOf(await stage.start(world, KEY)));
    const latest = (await stage.ledger.latest()).filter((row) => row.system === world.system);
    expect(latest).toMatchObject([{ requestId: rotation.requestId, nextDueAt: rotation.nextDueAt }]);
    expect(await rowsOf(world)).toHaveLength(2);
    expect((await stage.ledger.verify()).intact).toBe(true);
  });

  it('is replayed by the same code without a difference', async () => {
    const world = await stage.world();
    const histories = await stage.withWorker(world, async () => {
      const [one, all] = [await stage.start(world, KEY), await stage.start(world)];
      await one.result();
      await all.result().catch(() => undefined);
      return [
        [one.workflowId, await one.fetchHistory()],
        [all.workflowId, await all.fetchHistory()],
      ] as const;
    });
    for (const [workflowId, history] of histories) {
      await Worker.runReplayHistory({ workflowBundle: { codePath } }, history, workflowId);
    }
  });
});

describe('all backups', () => {
  it('of a system are made one after the other, each under its own lock', async () => {
    const world = await stage.world();
    const all = await stage.withWorker(world, async () => (await (await stage.start(world)).result()) as RolloutReport);
    expect(all.reports.map(({ ref, outcome }) => `${ref} ${outcome}`)).toEqual([
      `${world.system}/production/key completed`,
      `${world.system}/production/session completed`,
    ]);
    const run = stage.client.workflow.getHandle(backupWorkflowId({ system: world.system, ...KEY }));
    expect((await run.describe()).type).toBe('backUpSecrets');
  });

  it('are made though one of them cannot be', async () => {
    const world = await stage.world();
    await writeFile(join(world.root, 'identity.txt'), 'not an identity\n');
    await stage.withWorker(world, async () => {
      const failure = await failureOf((await stage.start(world, { environment: 'production' })).result());
      expect(failure.type).toBe('rolled-back');
      expect(failure.message).toMatch(/^1 of 2 backups failed: .*production\/key: .*no age identity/);
      const [{ reports }] = failure.details as [RolloutReport];
      expect(reports.map(({ outcome }) => outcome)).toEqual(['rolled back', 'completed']);
    });
    expect((await world.files()).every((file) => file.startsWith('session/'))).toBe(true);
  });

  it('of nothing is told what to do', async () => {
    const world = await stage.world();
    await writeFile(
      join(world.root, 'inventory/empty.yaml'),
      (await readFile(join(world.root, 'inventory/arena.yaml'), 'utf8'))
        .replace(/^backups:[\s\S]*?(?=^environments)/m, '')
        .replaceAll(world.system, `${world.system}-e`)
        .replace('../app/.env', '../app/other.env'),
    );
    await stage.withWorker(world, async () => {
      const handle = await stage.start({ ...world, system: `${world.system}-e` });
      const failure = await failureOf(handle.result());
      expect(failure.cause).toMatchObject({
        type: 'unknown-backup',
        message: expect.stringContaining('the inventory describes no backup') as string,
      });
    });
  });
});

describe('a backup that cannot be made', () => {
  it.each([
    [
      'without its directory',
      async (world: BackupWorld) => {
        const path = join(world.root, 'inventory/arena.yaml');
        await writeFile(path, (await readFile(path, 'utf8')).replace('../vault/key', '../vault/not-mounted'));
      },
      /there is no directory .*not-mounted \(create it .* or mount the medium/,
    ],
    [
      'with an identity of nobody',
      async (world: BackupWorld) => {
        await writeFile(join(world.root, 'identity.txt'), await generateIdentity());
      },
      /belongs to none of the recipients/,
    ],
    [
      'without its secret',
      async (world: BackupWorld) => writeFile(join(world.root, 'app/.env'), 'SESSION=x\n'),
      /production\/KEY: .*has no KEY/,
    ],
  ] as [string, (world: BackupWorld) => Promise<unknown>, RegExp][])(
    '%s was not begun: nothing is written or recorded',
    async (_, break_, message) => {
      const world = await stage.world();
      await break_(world);
      await stage.withWorker(world, async () => {
        const failure = await failureOf((await stage.start(world, KEY)).result());
        expect(failure.type).toBe('rolled-back');
        expect(failure.message).toMatch(/^"Check that everything is ready" failed: .*; nothing was changed$/);
        expect(failure.message).toMatch(message);
        expect(failure.details?.[0]).toMatchObject({ outcome: 'rolled back', notBegun: true });
      });
      expect(await world.files()).toEqual([]);
      expect(await rowsOf(world)).toEqual([]);
    },
  );

  it('without its passphrase names the variable, and nothing of it', async () => {
    const world = await stage.world({ passphraseOf: 'nobody' });
    await stage.withWorker(world, async () => {
      const failure = await failureOf(
        (await stage.start(world, { environment: 'production', backup: 'session' })).result(),
      );
      expect(failure.message).toContain('the worker has no variable BACKUP_PASSPHRASE');
    });
  });
});

describe('a proof that fails', () => {
  it('stops the run, keeps the archive aside under a name that says so, and is recorded', async () => {
    const world = await stage.world();
    const changing = async (): Promise<void> => world.setValue('KEY', randomBytes(32).toString('base64url'));
    await stage.withWorker(
      world,
      async () => {
        const handle = await stage.start(world, KEY);
        const failure = await failureOf(handle.result());
        expect(failure.type).toBe('stopped');
        expect(failure.message).toMatch(
          /^stopped at "Prove the restore": the current value of .*KEY was changed while it was backed up\./,
        );
        expect(failure.message).toContain(`back up ${world.system}/production/key again`);
        const [report] = failure.details as [RotationReport];
        expect(report.steps.map(({ state }) => state)).toEqual(['done', 'undone', 'failed', 'skipped', 'done']);
        expect((await handle.query<RunStatus>(STATUS_QUERY)).phase).toBe('stopped');
      },
      ({ makeArchive }) => ({
        makeArchive: async (plan) => {
          const made = await makeArchive(plan);
          await changing();
          return made;
        },
      }),
    );
    const files = await world.files();
    expect(files).toEqual([expect.stringMatching(/\.age\.unproven$/), expect.stringMatching(/\.age\.unproven\.json$/)]);
    expect(await rowsOf(world)).toMatchObject([{ outcome: 'stopped', kind: 'backup' }]);
    expect((await rowsOf(world))[0]?.notes).toMatch(/kept aside, unproven/);
  });

  it('because the archive on the medium is damaged does so too', async () => {
    const world = await stage.world();
    await stage.withWorker(
      world,
      async () => {
        const failure = await failureOf((await stage.start(world, KEY)).result());
        expect(failure.message).toContain('is not what was written');
      },
      ({ makeArchive }) => ({
        makeArchive: async (plan) => {
          const made = await makeArchive(plan);
          const path = String(made.facts?.['archive']);
          await writeFile(path, (await readFile(path)).subarray(0, 100));
          return made;
        },
      }),
    );
    expect((await world.files()).every((file) => file.includes('.unproven'))).toBe(true);
  });
});

describe('a worker that is lost', () => {
  it('after each effect, its answer with it: there is one good backup all the same', async () => {
    const world = await stage.world();
    const lost = new Set<string>();
    const once = <A extends unknown[], R>(name: string, body: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        const result = await body(...args);
        if (lost.has(name)) return result;
        lost.add(name);
        throw ApplicationFailure.create({ type: 'lost', message: 'the answer was lost' });
      };
    };
    const report = await stage.withWorker(
      world,
      async () => reportOf(await stage.start(world, KEY)),
      ({ makeArchive, proveArchive, printArchive, checkBackup }) => ({
        checkBackup: once('check', checkBackup),
        makeArchive: once('make', makeArchive),
        proveArchive: once('prove', proveArchive),
        printArchive: once('print', printArchive),
      }),
    );
    expect(lost.size).toBe(4);
    expect(report.outcome).toBe('completed');
    expect((await world.files()).filter((file) => file.endsWith('.age'))).toHaveLength(1);
    expect(await rowsOf(world)).toHaveLength(1);
  });
});

describe('a run that is cancelled', () => {
  it('before the proof keeps what it wrote aside, and says that nothing counts', async () => {
    const world = await stage.world();
    await stage.withWorker(
      world,
      async () => {
        const handle = await stage.start(world, KEY);
        cancel = () => handle.cancel();
        const error: unknown = await handle.result().catch((reason: unknown) => reason);
        expect((error as Error).cause).toMatchObject({ name: 'CancelledFailure' });
        const status = await handle.query<RunStatus>(STATUS_QUERY);
        expect(status.report).toMatchObject({
          outcome: 'cancelled',
          lasting: [expect.stringContaining('kept aside') as string],
        });
      },
      ({ makeArchive }) => ({
        makeArchive: async (plan) => {
          const made = await makeArchive(plan);
          await cancel();
          return made;
        },
      }),
    );
    expect((await world.files()).every((file) => file.includes('.unproven'))).toBe(true);
    expect(await rowsOf(world)).toMatchObject([{ outcome: 'cancelled' }]);
  });
  let cancel: () => Promise<unknown> = () => Promise.resolve();
});

describe('bad input', () => {
  it.each([
    [{}, 'operator'],
    [{ operator: 'ana', system: 'arena', backup: 'key' }, 'a backup is named with its environment'],
    [{ operator: 'ana', system: 'arena', secret: 'KEY' }, 'secret'],
  ])('%j is refused with a sample of what would be right', async (input, named) => {
    const world = await stage.world();
    await stage.withWorker(world, async () => {
      const handle = await stage.client.workflow.start('backUpSecrets', {
        workflowId: `any-${randomBytes(6).toString('hex')}`,
        taskQueue: world.taskQueue,
        args: [input],
      });
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('bad-input');
      expect(failure.message).toContain(named);
      expect(failure.message).toContain('{"system":"arena"');
    });
  });

  it('a run that is held by another is told which', async () => {
    const world = await stage.world();
    // Nobody works on it: it holds its lock.
    const held = await stage.client.workflow.start('backUpSecrets', {
      workflowId: backupWorkflowId({ system: world.system, ...KEY }),
      taskQueue: `${world.taskQueue}-nobody`,
      args: [{ system: world.system, ...KEY, operator: 'ana' }],
    });
    await stage.withWorker(world, async () => {
      const failure = await failureOf((await stage.start(world)).result());
      expect(failure.message).toContain(
        `production/key: it is being made already: workflow ${held.workflowId}, run ${held.firstExecutionRunId}`,
      );
    });
    await held.terminate();
  });
});
