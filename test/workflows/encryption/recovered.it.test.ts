/** The recovery from a lost key over real rows: what is kept, what is moved, what people are asked and told. */
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPROVE, RECOVER_WORKFLOW_TYPE } from '../../../src/domain/messages.js';
import type { RotationReport } from '../../../src/domain/report.js';
import { id, run } from '../../databases/roles/support/world.js';
import { endOf } from '../support/end-of.js';
import { ANA } from '../support/real-stage.js';
import { attend, enterAgain, lose, loseHalf, quarantineOf } from './support/losses.js';
import { backUp, forgetBackups, replaceKey, startOffered } from './support/offers.js';
import { bytesOf, pictureOf } from './support/picture.js';
import { ledgerOf } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { inDeep } from '../../support/deep.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(RECOVER_WORKFLOW_TYPE);
});
afterAll(() => stage.close());

const GIVEN: Given = { mode: 'atomic', recovery: { enable: ['enable'], watchEvery: '1s' } };
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

async function withSystem(given: Given, body: (system: System) => Promise<void>): Promise<void> {
  const system = await stage.system(given);
  try {
    await body(system);
  } finally {
    await stage.remove(system);
  }
}

const rowsOf = ({ database, table }: System, rows: readonly number[]) =>
  run(database.url, `SELECT id::int, value FROM ${id(table)} WHERE id IN (${rows.join(', ')}) ORDER BY id`);

it('keeps the readable half, moves the rest, ticks what is entered again, and switches features on', async () => {
  await withSystem(GIVEN, async (system) => {
    const lost = await loseHalf(system);
    const before = await rowsOf(system, lost);
    const handle = await stage.start(system);
    const { gate } = await stage.until(handle, (status) => status.gate?.name === 'recover');
    expect(gate?.question).toMatch(/42 rows, 20 under the key in use, 2 empty, 20 unreadable/);
    expect(gate?.question).toMatch(/20 row\(s\) that none of these keys reads are moved .*: id=2; public\.\w+: id=4;/);
    // Whoever asks for it does not decide about it.
    const own = handle.executeUpdate(APPROVE, { args: [{ by: ANA, gate: 'recover' }] });
    await expect(own).rejects.toThrow();
    expect(await quarantineOf(system)).toEqual([]);
    await stage.approve(handle, 'recover');

    await stage.until(handle, (status) => status.gate?.name === 'reentry');
    expect(await quarantineOf(system)).toEqual(before);
    // The old key is kept until people are done.
    expect(await pictureOf(system)).toEqual({ ...AFTER, files: ['.env', '.env.keyturn'] });
    await enterAgain(system, lost.slice(0, 1));
    const { steps } = await stage.until(handle, (status) =>
      status.steps.some(({ seen }) => seen?.some((line) => line.startsWith('☑')) ?? false),
    );
    const seen = steps.find((step) => step.seen)?.seen ?? [];
    expect(seen).toHaveLength(20);
    expect(seen[0]).toMatch(/^☐ public\.\w+: id=4$/);
    expect(seen[19]).toMatch(/^☑ public\.\w+: id=2$/);
    // A no to going on early leaves everything as it is: the wait goes on.
    await stage.reject(handle, 'reentry');
    await enterAgain(system, lost.slice(1));
    const report = (await handle.result()) as RotationReport;
    expect(report).toMatchObject({ outcome: 'completed', method: 'recover lost key', todo: [] });
    expect(report.nextDueAt).not.toBeNull();
    const moved = report.steps.find(({ name }) => name.startsWith('Re-encrypt what can be read'))?.evidence;
    expect(moved?.facts).toMatchObject({ quarantined: 20 });
    expect(String(moved?.facts?.['quarantine'])).toMatch(/_quarantine_\d{8}_[0-9a-f]{8}"$/);
    expect(String(moved?.facts?.['identities'])).toMatch(/: id=2; .*: id=40$/);
    expect(await pictureOf(system)).toEqual(AFTER);
    expect(system.application.history).toEqual(['deployed', 'stopped', 'deployed', 'enabled']);
    expect(await quarantineOf(system)).toEqual(before);

    const [bytes, calls] = [await bytesOf(system), system.calls.length];
    expect(await endOf(await stage.start(system))).toMatch(/^rolled-back: .*nothing is lost: .*0 unreadable/);
    expect(await bytesOf(system)).toBe(bytes);
    expect(system.calls.slice(calls)).toEqual(['resolveRecovery 2', 'checkRecovery 2']);
    expect(await ledgerOf(stage, system)).toHaveLength(1);
  });
});

inDeep.it('people go on without the rest, which is left to them by name', async () => {
  await withSystem(GIVEN, async (system) => {
    const lost = await lose(system, [3, 5]);
    const handle = await stage.start(system);
    await stage.approve(handle, 'recover');
    await stage.until(handle, (status) => status.gate?.name === 'reentry');
    await enterAgain(system, lost.slice(0, 1));
    await stage.until(handle, ({ steps }) => steps.some(({ seen }) => seen?.[1]?.startsWith('☑') ?? false));
    await stage.approve(handle, 'reentry');
    const report = (await handle.result()) as RotationReport;
    expect(report.outcome).toBe('completed');
    expect(report.todo).toHaveLength(1);
    expect(report.todo[0]).toMatch(/^enter again: public\.\w+: id=5 \(as they were: .*_quarantine_.*\)$/);
    expect(await pictureOf(system)).toEqual(AFTER);
  });
});

inDeep.it('every row lost, as document 004 has it: all are moved', async () => {
  await withSystem(GIVEN, async (system) => {
    const lost = await lose(system, [...system.application.truth.keys()]);
    const handle = await stage.start(system);
    const leave = attend(handle);
    const outcome = await endOf(handle);
    await leave();
    expect(outcome).toBe('completed');
    expect((await quarantineOf(system)).map((row) => row.id)).toEqual(lost);
    expect(await pictureOf(system)).toEqual(AFTER);
  });
});

inDeep.it('a service that cannot be stopped: what it writes meanwhile is found after its deploy', async () => {
  await withSystem({ ...GIVEN, runsOn: true }, async (system) => {
    const { application, faults } = system;
    await loseHalf(system);
    faults.set('recoverRows 1', async (_, body) => {
      const done = await body();
      await application.write('written under the key that was in use');
      return done;
    });
    const handle = await stage.start(system);
    const leave = attend(handle);
    const outcome = await endOf(handle);
    await leave();
    expect(outcome).toBe('completed');
    expect(application.history).toEqual(['deployed', 'deployed', 'enabled']);
    expect(await pictureOf(system)).toEqual(AFTER);
    expect(await quarantineOf(system)).toHaveLength(20);
  });
});

it('rejected: nothing was changed', async () => {
  await withSystem(GIVEN, async (system) => {
    await loseHalf(system);
    const bytes = await bytesOf(system);
    const handle = await stage.start(system);
    await stage.reject(handle, 'recover');
    expect(await endOf(handle)).toBe('rejected');
    expect(await bytesOf(system)).toBe(bytes);
    expect(system.application.history).toEqual(['deployed']);
  });
});

it('rows that others point to are found out before anybody is asked', async () => {
  await withSystem(GIVEN, async (system) => {
    await loseHalf(system);
    const { database, table } = system;
    await run(
      database.url,
      `CREATE TABLE ${id(`${table}_uses`)} (credential bigint REFERENCES ${id(table)} ON DELETE CASCADE); INSERT INTO ${id(`${table}_uses`)} VALUES (4)`,
    );
    expect(await endOf(await stage.start(system))).toMatch(
      /^rolled-back: .*1 row\(s\) of public\.\w+_uses point to rows of/,
    );
    await run(database.url, `DROP TABLE ${id(`${table}_uses`)}`);
  });
});

describe('the key is not lost', () => {
  const backedUp = async (body: (system: System, identity: string) => Promise<void>): Promise<void> => {
    const identity = await generateX25519Identity();
    const backup = { identity, recipient: await identityToRecipient(identity) };
    await withSystem({ ...GIVEN, backup }, async (system) => {
      await backUp(stage, system);
      await replaceKey(system);
      await body(system, identity);
    });
  };

  it('when a backup of the inventory holds it', async () => {
    await backedUp(async (system) => {
      const bytes = await bytesOf(system);
      const outcome = await endOf(await stage.start(system));
      expect(outcome).toMatch(
        /^rolled-back: .*the key is not lost: the current key in backup .*\.age reads 40 row\(s\)/,
      );
      expect(outcome).not.toContain(system.oldKey);
      expect(await bytesOf(system)).toBe(bytes);
    });
  });

  inDeep.it('when an archive that people offer holds it; one that cannot be opened is an error', async () => {
    await backedUp(async (system) => {
      const archive = await forgetBackups(system);
      const recover = async (more: object): Promise<string> =>
        await endOf(await startOffered(stage, system, { backups: [archive], ...more }));
      expect(await recover({ identity: { env: 'BACKUP_IDENTITY' } })).toMatch(
        /the key is not lost: the current key in/,
      );
      expect(await recover({})).toMatch(/it takes an identity to open it/);
      expect(await recover({ identity: 'AGE-SECRET-KEY-1' })).toMatch(/never the value itself/);
    });
  });

  it('when everything reads', async () => {
    await withSystem(GIVEN, async (system) => {
      expect(await endOf(await stage.start(system))).toMatch(
        /^rolled-back: .*nothing is lost: .*40 under the key in use/,
      );
    });
  });
});
