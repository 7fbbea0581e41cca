import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { demandBackup, findBackup, type BackupAnswer, type BackupQuestion } from '../../src/backups/find-backup.js';
import { makeArchive } from '../../src/backups/make-archive.js';
import { proveArchive } from '../../src/backups/prove-archive.js';
import { readBackups } from '../../src/backups/read-backups.js';
import { createSealer } from '../../src/backups/seal.js';
import type { BackupPlan } from '../../src/domain/backup.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { backupFixture, running, type BackupFixture } from './support/fixture.js';

const DAY = 86_400_000;

let fixture: BackupFixture;
beforeEach(async () => {
  fixture = await backupFixture();
});
afterEach(() => fixture.remove());

async function backUp(changes: Partial<BackupPlan> = {}, { prove = true } = {}): Promise<string> {
  const plan = fixture.plan(changes);
  const deps = await fixture.deps(plan);
  const { place } = await makeArchive(plan, deps, running);
  if (prove) await proveArchive(plan, deps, running);
  return place.archive;
}

function question(changes: Partial<BackupQuestion> = {}): BackupQuestion {
  return {
    places: [{ backup: 'arena/production/keys', directory: fixture.directory, maxAge: '90d' }],
    ref: 'arena/production/KEY',
    fingerprint: fixture.fingerprint(new SecretValue(fixture.values.KEY)).fingerprint,
    now: new Date(),
    ...changes,
  };
}

const ask = (changes: Partial<BackupQuestion> = {}): Promise<BackupAnswer> =>
  findBackup(question(changes), fixture.seals);

describe('a backup that can be relied on', () => {
  it('is proven, of this value, young enough, and its archive what was written', async () => {
    const archive = await backUp();
    const answer = await ask();
    expect(answer).toMatchObject({ verdict: 'proven', found: { archive, state: 'proven' } });
    expect(answer.text).toMatch(/proven \d+m?s? ago$/);
    expect((await demandBackup(question(), fixture.seals)).archive).toBe(archive);
  });

  it('is the youngest of several, whatever their names', async () => {
    await backUp({ at: '2027-01-01T00:00:00.000Z' });
    const younger = await backUp({ at: '2026-01-01T00:00:00.000Z', requestId: 'run-2-00000001' });
    expect((await ask()).found?.archive).toBe(younger);
  });

  it('may have held the value when it was staged only', async () => {
    const staged = new SecretValue('a staged key of this test, 32+ characters');
    await fixture.store.stage(fixture.slot('KEY'), 'rotation-1', () => staged);
    await backUp();
    expect((await ask({ fingerprint: fixture.fingerprint(staged).fingerprint })).verdict).toBe('proven');
  });

  it('may lie in any of the places where the inventory has one', async () => {
    await backUp();
    const [place] = question().places;
    const elsewhere = { ...place!, directory: join(fixture.root, 'app') };
    expect((await ask({ places: [elsewhere, place!] })).verdict).toBe('proven');
  });
});

describe('why there is none', () => {
  const expectNone = async (verdict: string, text: RegExp, changes: Partial<BackupQuestion> = {}): Promise<void> => {
    const answer = await ask(changes);
    expect(answer).toMatchObject({ verdict });
    expect(answer.text).toMatch(text);
    await expect(demandBackup(question(changes), fixture.seals)).rejects.toMatchObject({
      code: 'backup-missing',
      message: answer.text,
      hint: 'make one: keyturn backup arena/production/keys',
    });
  };

  it('no backup: none was made, or none names this secret', async () => {
    await expectNone('no backup', /^no backup of arena\/production\/KEY in /);
    await backUp();
    await expectNone('no backup', /OTHER/, { ref: 'arena/production/OTHER' });
  });

  it('no backup: its directory is not there', async () => {
    const [place] = question().places;
    const places = [{ ...place!, directory: join(fixture.root, 'not-mounted') }];
    await expectNone('no backup', /there is no directory .*not-mounted \(create it .* or mount the medium/, { places });
  });

  it('no backup: what lies there is another backup’s, which may be meant to be kept for less long', async () => {
    await backUp({ ref: { system: 'arena', environment: 'production', backup: 'others' } });
    await expectNone('no backup', /no backup/);
  });

  it('too old', async () => {
    await backUp();
    await expectNone('too old', /was proven 90d 1m ago, longer than 90d/, {
      now: new Date(Date.now() + 90 * DAY + 60_000),
    });
    expect((await ask({ now: new Date(Date.now() + 89 * DAY) })).verdict).toBe('proven');
  });

  it('too old: proven in the future, by a clock that is wrong', async () => {
    await backUp();
    await expectNone('too old', /a proof from the future/, { now: new Date(Date.now() - DAY) });
  });

  it('of another value', async () => {
    await backUp();
    await expectNone('of another value', /holds another value of arena\/production\/KEY/, {
      fingerprint: '0123456789abcdef0123456789abcdef',
    });
  });

  it('unproven', async () => {
    await backUp({}, { prove: false });
    await expectNone('unproven', /never proven by a restore/);
  });

  it('archive changed: altered, truncated, replaced, gone', async () => {
    const archive = await backUp();
    const whole = await readFile(archive);
    for (const content of [whole.subarray(0, -1), Buffer.concat([whole, Buffer.from('\n')]), Buffer.alloc(0)]) {
      await writeFile(archive, content);
      await expectNone('archive changed', /does not count: archive changed/);
    }
    await rm(archive);
    await expectNone('archive changed', /does not count/);
  });

  it('the nearest of several reasons is told', async () => {
    await backUp({ requestId: 'run-2-00000001' }, { prove: false });
    await backUp();
    await expectNone('too old', /91d ago/, { now: new Date(Date.now() + 91 * DAY) });
  });
});

describe('a manifest that was tampered with', () => {
  const tamper = async (change: (text: string) => string): Promise<string> => {
    const archive = await backUp();
    const path = `${archive}.json`;
    await writeFile(path, change(await readFile(path, 'utf8')));
    return archive;
  };

  it.each([
    ['a younger proof', (text: string) => text.replace(/"provenAt": "\d{4}/, '"provenAt": "2031')],
    ['another secret', (text: string) => text.replace('arena/production/SESSION', 'arena/production/KEY')],
    ['another fingerprint', (text: string) => text.replace(/"fingerprint": "[0-9a-f]{4}/, '"fingerprint": "0000')],
    ['another archive', (text: string) => text.replace(/"sha256": "[0-9a-f]{4}/, '"sha256": "0000')],
    ['another seal', (text: string) => text.replace(/"seal": "[0-9a-f]{4}/, '"seal": "0000')],
  ])('to say %s does not count', async (_, change) => {
    await tamper(change);
    expect((await readBackups(fixture.directory, fixture.seals)).map(({ state }) => state)).toEqual([
      'manifest altered',
    ]);
    expect(['archive changed', 'of another value']).toContain((await ask()).verdict);
  });

  it('so that an unproven backup looks proven does not count', async () => {
    const archive = await backUp({}, { prove: false });
    const text = await readFile(`${archive}.json`, 'utf8');
    await writeFile(`${archive}.json`, text.replace('"provenAt": null', `"provenAt": "${new Date().toISOString()}"`));
    expect((await ask()).verdict).toBe('archive changed');
  });

  it('beyond reading is told, and does not count', async () => {
    await tamper((text) => text.slice(0, 40));
    expect((await readBackups(fixture.directory, fixture.seals)).map(({ state }) => state)).toEqual([
      'manifest unreadable',
    ]);
    expect((await ask()).verdict).toBe('no backup');
  });

  it('by more keys than it has is not read', async () => {
    await tamper((text) => text.replace('{', '{ "more": 1,'));
    expect((await ask()).verdict).toBe('no backup');
  });

  it('of a worker with another fingerprint key does not count here', async () => {
    await backUp();
    const other = createSealer('another fingerprint key of these tests, 32+');
    expect((await readBackups(fixture.directory, other)).map(({ state }) => state)).toEqual(['manifest altered']);
  });

  it('by exchanging two manifests does not count', async () => {
    const [one, other] = [await backUp(), await backUp({ requestId: 'run-2-00000001' })];
    await rename(`${one}.json`, `${one}.json.x`);
    await rename(`${other}.json`, `${one}.json`);
    await rename(`${one}.json.x`, `${other}.json`);
    expect((await ask()).verdict).toBe('archive changed');
  });
});

it('other files in the directory are passed over', async () => {
  await writeFile(join(fixture.directory, 'notes.json'), '{}');
  await appendFile(join(fixture.directory, 'README'), 'keep this stick in the safe\n');
  await backUp();
  expect(await readBackups(fixture.directory, fixture.seals)).toHaveLength(1);
});
