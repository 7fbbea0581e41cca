/** The rotation of an encryption key, in both modes, over real rows: what is there afterwards, and in which order it came about. */
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { id, run } from '../../databases/roles/support/world.js';
import { endOf } from '../support/end-of.js';
import { ANA } from '../support/real-stage.js';
import { opened, sealed, freshKey } from './support/fernet.js';
import { pictureOf } from './support/picture.js';
import { carriedOut } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { System } from './support/system.js';
import { inDeep } from '../../support/deep.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const AFTER = {
  rows: 'all there',
  underOld: 0,
  nothing: 2,
  env: "# the vault\nENCRYPTION_KEY=NEW-KEY\nOTHER='kept'\n",
  mode: '640',
  files: ['.env'],
  runs: true,
  health: 'well',
};

describe('atomic', () => {
  it('stops the services, re-encrypts all rows at once, and starts them with the new key', async () => {
    const { outcome, after, history, ledger, calls } = await carriedOut(stage, { mode: 'atomic' });
    expect(outcome).toBe('completed');
    expect(after).toEqual(AFTER);
    expect(history).toEqual(['stopped', 'deployed']);
    expect(ledger).toEqual([
      'completed by re-encrypt (atomic): Pin the plan: done; Check that everything is ready: done; Stage a new key: done; Stop the services: done; Re-encrypt every row: done; Start the services with the new key: done; Verify that the application decrypts: done; Prove that no row needs the old key: done; Destroy the old key: done; Record in the ledger: running',
    ]);
    expect(calls.indexOf('reencryptAtomically 1')).toBeGreaterThan(calls.indexOf('stopService 1'));
  });

  it('a row that neither key reads: refused before anything is touched, and named', async () => {
    const { outcome, untouched, history } = await carriedOut(
      stage,
      { mode: 'atomic' },
      { prepare: (system) => lose(system, 7) },
    );
    expect(outcome).toMatch(/^rolled-back: .*1 unreadable.*id=7/);
    expect(history).toEqual([]);
    expect(untouched).toBe(false); // it is the test that has put the row there
  });
});

describe('online', () => {
  it('gives the services both keys, re-encrypts in batches, and takes the old key away', async () => {
    const { outcome, after, history, ledger } = await carriedOut(stage, { mode: 'online' });
    expect(outcome).toBe('completed');
    expect(after).toEqual(AFTER);
    expect(history).toEqual(['deployed', 'deployed', 'deployed']);
    expect(ledger).toEqual([
      'completed by re-encrypt (online): Pin the plan: done; Check that everything is ready: done; Stage a new key: done; Deploy 1 of 3: read under the new key too: done; Deploy 2 of 3: write under the new key: done; Re-encrypt every row: done; Read every row under the new key alone: done; Verify that the application decrypts: done; Look for rows written meanwhile: done; Deploy 3 of 3: the new key alone: done; Look for rows written during the deploy: done; Prove that no row needs the old key: done; Destroy the old key: done; Record in the ledger: running',
    ]);
  });

  inDeep.it('by several activities at once', async () => {
    const { outcome, after, calls } = await carriedOut(stage, { mode: 'online', rows: 12_000, parallel: 2 });
    expect(outcome).toBe('completed');
    expect(after).toEqual(AFTER);
    expect(calls).toContain('reencryptRows 2');
  });

  it('a writer that still has the old key is swept up after, before and behind the last deploy', async () => {
    const { outcome, after } = await carriedOut(
      stage,
      { mode: 'online', gates: ['retire'] },
      {
        prepare: (system) => {
          const stale = (): Promise<number> => system.application.write('written with the old key', system.oldKey);
          for (const call of ['reencryptRows 1', 'readRows 1', 'deployService 3'])
            system.faults.set(call, async (_, body) => {
              const answer = await body();
              await stale();
              return answer;
            });
        },
        meanwhile: async (_, handle) => await stage.approve(handle, 'retire'),
      },
    );
    expect(outcome).toBe('completed');
    expect(after).toEqual(AFTER);
  });

  it('people mend a row that neither key reads, and say when to look again', async () => {
    const { outcome, after } = await carriedOut(
      stage,
      { mode: 'online' },
      {
        prepare: (system) => lose(system, 7),
        meanwhile: async ({ database, table, application }, handle) => {
          const { gate } = await stage.until(handle, (status) => status.gate?.name === 'unreadable');
          expect(gate?.question).toMatch(/1 row\(s\) can be read with neither key: public\.\w+\.value: id=7\./);
          application.truth.set(7, 'entered anew');
          const again = sealed('entered anew', application.keys[0] ?? '');
          await run(database.url, `UPDATE ${id(table)} SET value = '${again}' WHERE id = 7`);
          await stage.approve(handle, 'unreadable');
        },
      },
    );
    expect(outcome).toBe('completed');
    expect(after).toEqual(AFTER);
  });

  it('or go back: every other row is under the old key again, and that one is as it was', async () => {
    const { outcome, after, history } = await carriedOut(
      stage,
      { mode: 'online' },
      {
        prepare: (system) => lose(system, 7),
        meanwhile: async (_, handle) => await stage.reject(handle, 'unreadable'),
      },
    );
    expect(outcome).toBe('rejected');
    expect(after).toMatchObject({ underOld: 39, env: AFTER.env.replace('NEW', 'OLD'), files: ['.env'], runs: true });
    expect(history).toHaveLength(4);
  });
});

describe('a critical key', () => {
  it('is not rotated before it is backed up; the new one is, before any row is under it', async () => {
    const identity = await generateX25519Identity();
    const backup = { identity, recipient: await identityToRecipient(identity) };
    const system = await stage.system({ mode: 'atomic', backup });
    try {
      const refused = await endOf(await stage.start(system));
      expect(refused).toMatch(/^rolled-back: .*no backup of vault\w+\/production\/ENCRYPTION_KEY/);
      expect(system.application.history).toEqual(['deployed']);

      const args = [{ system: system.name, environment: 'production', backup: 'key', operator: ANA }];
      const workflowId = `backup:${system.name}/production/key`;
      const made: unknown = await stage.client.workflow.execute('backUpSecrets', {
        taskQueue: stage.taskQueue,
        workflowId,
        args,
      });
      expect(made).toMatchObject({ outcome: 'completed' });

      // The second finds the backup that the first has made of its new key.
      for (let round = 0; round < 2; round += 1) expect(await endOf(await stage.start(system))).toBe('completed');
      const { calls } = system;
      expect(calls.indexOf('proveArchive 2')).toBeGreaterThan(calls.indexOf('stageKey 1'));
      expect(calls.indexOf('proveArchive 2')).toBeLessThan(calls.indexOf('stopService 1'));
      expect(await pictureOf(system)).toEqual(AFTER);
    } finally {
      await stage.remove(system);
    }
  });
});

inDeep.it('a second rotation changes every row again, and nothing else', async () => {
  const system = await stage.system({ mode: 'online' });
  try {
    for (let round = 0; round < 2; round += 1) {
      const report = (await (await stage.start(system)).result()) as { outcome: string };
      expect(report.outcome).toBe('completed');
    }
    const rows = await run(
      system.database.url,
      `SELECT id, value FROM ${id(system.table)} WHERE value <> '' ORDER BY id`,
    );
    const [key = ''] = system.application.keys;
    expect(rows.map((row) => opened(String(row['value']), key))).toEqual(
      [...system.application.truth].toSorted(([one], [other]) => one - other).map(([, value]) => value),
    );
  } finally {
    await stage.remove(system);
  }
});

/** Under a key that nobody has. The application does not miss the row. */
async function lose({ database, table, application }: System, row: number): Promise<void> {
  application.truth.delete(row);
  await run(
    database.url,
    `UPDATE ${id(table)} SET value = '${sealed('somebody else’s', freshKey())}' WHERE id = ${row}`,
  );
}
