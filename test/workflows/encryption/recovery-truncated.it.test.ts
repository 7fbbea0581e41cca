/** Rows that no key reads and the inventory wants truncated: told beforehand, undone until the end, gone then, listed by name. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RECOVER_WORKFLOW_TYPE } from '../../../src/domain/messages.js';
import type { RotationReport } from '../../../src/domain/report.js';
import { id, run } from '../../databases/roles/support/world.js';
import { endOf } from '../support/end-of.js';
import { attend, enterAgain, loseHalf, quarantineOf, tablesBeside } from './support/losses.js';
import { backUp, forgetBackups, replaceKey, startOffered } from './support/offers.js';
import { pictureOf } from './support/picture.js';
import { Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { inDeep } from '../../support/deep.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(RECOVER_WORKFLOW_TYPE);
});
afterAll(() => stage.close());

const TRUNCATED: Given = { mode: 'atomic', recovery: { watchEvery: '1s', unreadable: 'truncate' } };

async function withSystem(given: Given, body: (system: System) => Promise<void>): Promise<void> {
  const system = await stage.system(given);
  try {
    await body(system);
  } finally {
    await stage.remove(system);
  }
}

const lostRows = ({ database, table }: System) =>
  run(database.url, `SELECT id::int, value FROM ${id(table)} WHERE id <= 40 AND id % 2 = 0 ORDER BY id`);

it('they are destroyed at the end, which people are told before they decide, and stay listed by name', async () => {
  await withSystem(TRUNCATED, async (system) => {
    const lost = await loseHalf(system);
    const before = await lostRows(system);
    const handle = await stage.start(system);
    const { gate } = await stage.until(handle, (status) => status.gate?.name === 'recover');
    expect(gate?.question).toMatch(/^Recover \S+\? At its end 20 row\(s\) that no key reads are DESTROYED for good,/);
    await stage.approve(handle, 'recover');
    const asked = await stage.until(handle, (status) => status.gate?.name === 'reentry');
    expect(asked.gate?.question).toMatch(/go on without the rest\. Either way the quarantine is destroyed then/);
    // Until then they are all there, also while people enter them.
    await enterAgain(system, lost.slice(1));
    await stage.until(handle, ({ steps }) => steps.some(({ seen }) => seen?.[1]?.startsWith('☑') ?? false));
    expect(await quarantineOf(system)).toEqual(before);
    await stage.approve(handle, 'reentry');
    const report = (await handle.result()) as RotationReport;
    expect(report.outcome).toBe('completed');
    expect(report.todo).toEqual([expect.stringMatching(/^enter again: public\.\w+: id=2$/)]);
    const ends = report.steps.slice(-4).map(({ name }) => name);
    expect(ends).toEqual([
      ...['Prove that no row needs the old key', 'Destroy what no key reads', 'Destroy the old key'],
      'Record in the ledger',
    ]);
    const evidence = (name: string) => report.steps.find((step) => step.name.startsWith(name))?.evidence;
    const { summary, facts } = evidence('Destroy what no key reads')!;
    expect(summary).toMatch(/^20 row\(s\) destroyed with "public"\."\w+_quarantine_\d{8}_[0-9a-f]{8}"$/);
    expect(facts).toEqual({ destroyed: 20 });
    expect(String(evidence('Re-encrypt what can be read')?.facts?.['identities'])).toMatch(/: id=2; .*: id=40$/);
    const [recorded] = await stage.rows(system);
    expect(JSON.stringify(recorded?.evidence)).toMatch(/: id=2; .*: id=40.*"destroyed":20/);
    expect(await tablesBeside(system)).toEqual([]);
    expect(await pictureOf(system)).toMatchObject({ rows: 'all there', underOld: 0, runs: true, health: 'well' });
  });
});

inDeep.it('more of them than a list has room for: their names are kept where the report says', async () => {
  await withSystem({ ...TRUNCATED, rows: 450 }, async (system) => {
    await loseHalf(system);
    const handle = await stage.start(system);
    const leave = attend(handle);
    const report = (await handle.result()) as RotationReport;
    await leave();
    expect(report.outcome).toBe('completed');
    const [names, ...others] = await tablesBeside(system);
    expect([names, others]).toEqual([expect.stringContaining('_identities_'), []]);
    expect(report.todo[0]).toMatch(/^enter again: public\.\w+: id=2; .*; and 25 more \(their names: .*\)$/);
    expect(report.todo[0]).toContain(`"${names}"`);
    const kept = await run(system.database.url, `SELECT * FROM ${id(names!)} ORDER BY id`);
    expect(kept).toEqual(Array.from({ length: 225 }, (_, row) => ({ id: String(2 * row + 2) })));
  });
});

inDeep.it(
  'they stay in quarantine when a run goes on from a terminated one and the inventory says so by then',
  async () => {
    await withSystem(TRUNCATED, async (system) => {
      await loseHalf(system);
      const before = await lostRows(system);
      const first = await stage.start(system);
      await stage.approve(first, 'recover');
      await stage.until(first, (status) => status.gate?.name === 'reentry');
      await first.terminate();
      const file = join(system.inventory, 'system.yaml');
      await writeFile(file, (await readFile(file, 'utf8')).replace('"truncate"', '"quarantine"'));
      const handle = await stage.start(system);
      const leave = attend(handle);
      expect(await endOf(handle)).toBe('completed');
      await leave();
      expect(await quarantineOf(system)).toEqual(before);
    });
  },
);

inDeep.it('they are not destroyed by a run that goes on and is offered the key to them', async () => {
  const identity = await generateX25519Identity();
  const backup = { identity, recipient: await identityToRecipient(identity) };
  await withSystem({ ...TRUNCATED, backup }, async (system) => {
    await backUp(stage, system);
    await replaceKey(system);
    const archive = await forgetBackups(system);
    system.application.truth.clear();
    const first = await stage.start(system);
    await stage.approve(first, 'recover');
    await stage.until(first, (status) => status.gate?.name === 'reentry');
    await first.terminate();
    const moved = await quarantineOf(system);
    expect(moved).toHaveLength(40);
    const offered = { backups: [archive], identity: { env: 'BACKUP_IDENTITY' } };
    expect(await endOf(await startOffered(stage, system, offered))).toMatch(
      /^rolled-back: .*the quarantine is not to be destroyed: the current key in .* reads rows of .*_quarantine_/,
    );
    expect(await quarantineOf(system)).toEqual(moved);
  });
});
