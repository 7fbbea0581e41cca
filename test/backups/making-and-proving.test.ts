import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeArchive } from '../../src/backups/make-archive.js';
import { proveArchive, setAside } from '../../src/backups/prove-archive.js';
import { readBackups } from '../../src/backups/read-backups.js';
import { restore } from '../../src/backups/restore.js';
import type { BackupPlan } from '../../src/domain/backup.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { backupFixture, running, type BackupFixture } from './support/fixture.js';

vi.setConfig({ testTimeout: 120_000 });

const hasGpg = (await execa('gpg', ['--version'], { reject: false })).exitCode === 0;
const formats = hasGpg ? (['age', 'gpg'] as const) : (['age'] as const);

let fixture: BackupFixture;
beforeEach(async () => {
  fixture = await backupFixture();
});
afterEach(() => fixture.remove());

async function backUp(plan: BackupPlan): Promise<string> {
  const deps = await fixture.deps(plan);
  await makeArchive(plan, deps, running);
  return (await proveArchive(plan, deps, running)).place.archive;
}

async function states(): Promise<string[]> {
  return (await readBackups(fixture.directory, fixture.seals)).map(({ state }) => state);
}

describe.each(formats)('a backup in format %s', (format) => {
  const plan = (changes: Partial<BackupPlan> = {}): BackupPlan =>
    fixture.plan({ encryption: fixture.encryption(format), ...changes });

  it('is an archive and a manifest, 0600, named for what it is, proven, and restores to the same values', async () => {
    const archive = await backUp(plan());
    const name = `arena--production--keys--20261121T230405Z-ef012345.${format === 'age' ? 'age' : 'asc'}`;
    expect(await fixture.files()).toEqual([name, `${name}.json`]);
    for (const file of await fixture.files())
      expect((await stat(join(fixture.directory, file))).mode & 0o777).toBe(0o600);
    expect(await states()).toEqual(['proven']);
    const keys = { identity: new SecretValue(fixture.identity), passphrase: new SecretValue(fixture.passphrase) };
    const contents = await restore(await readFile(archive), keys, running);
    expect(contents.values.map(({ ref, version, kind, value }) => [ref, version, kind, value.reveal()])).toEqual([
      ['arena/production/KEY', 'current', 'encryption', fixture.values.KEY],
      ['arena/production/SESSION', 'current', 'session', fixture.values.SESSION],
    ]);
  });

  it('shows no value in any file, nor what it is encrypted with', async () => {
    await backUp(plan());
    const everything = await fixture.everything();
    for (const text of [...Object.values(fixture.values), fixture.passphrase, fixture.identity.slice(20)]) {
      expect(everything).not.toContain(text);
      expect(everything).not.toContain(Buffer.from(text).toString('base64').slice(2, -4));
    }
  });

  it('made again by the same run is the same; by another run, another', async () => {
    const one = await backUp(plan());
    const [first] = await Promise.all([readFile(one, 'utf8')]);
    expect(await readFile(await backUp(plan()), 'utf8')).toBe(first);
    expect(await fixture.files()).toHaveLength(2);
    await backUp(plan({ requestId: 'another-run', at: '2026-11-21T23:05:00.000Z' }));
    expect(await fixture.files()).toHaveLength(4);
  });

  it('that was killed between archive and manifest is made whole by the next attempt', async () => {
    const deps = await fixture.deps(plan());
    const killed = {
      ...deps,
      faultPoint: (name: string) => {
        if (name === 'manifest temporary created') throw new Error('killed');
      },
    };
    await expect(makeArchive(plan(), killed, running)).rejects.toThrow();
    expect(await fixture.files()).toHaveLength(1);
    expect(await states()).toEqual([]);
    await backUp(plan());
    expect(await fixture.files()).toHaveLength(2);
    expect(await states()).toEqual(['proven']);
  });

  it('that was killed while it wrote leaves ciphertext at the most, and the next attempt clears it away', async () => {
    const left = '.arena--production--keys--20261121T230405Z-ef012345.EXT.keyturn-0123456789abcdef.tmp';
    await writeFile(join(fixture.directory, left.replace('EXT', format === 'age' ? 'age' : 'asc')), 'half an archi');
    await backUp(plan());
    expect(await fixture.files()).toHaveLength(2);
  });

  it('holds a staged value too, and only what is asked for when that is less', async () => {
    await fixture.store.stage(
      fixture.slot('KEY'),
      'rotation-1',
      () => new SecretValue('a staged key of this test, 32+ characters'),
    );
    await backUp(plan());
    const [found] = await readBackups(fixture.directory, fixture.seals);
    expect(found?.manifest?.secrets.map(({ ref, version }) => `${ref} ${version}`)).toEqual([
      'arena/production/KEY current',
      'arena/production/KEY pending',
      'arena/production/SESSION current',
    ]);
    await backUp(plan({ requestId: 'run-2-00000001', versions: ['pending'] }));
    const all = await readBackups(fixture.directory, fixture.seals);
    expect(all.find(({ manifest }) => manifest?.requestId === 'run-2-00000001')?.manifest?.secrets).toMatchObject([
      { ref: 'arena/production/KEY', version: 'pending' },
    ]);
  });

  it('of a value that changes before the proof is not proven, and is kept aside under a name that says so', async () => {
    const deps = await fixture.deps(plan());
    await makeArchive(plan(), deps, running);
    await writeFile(fixture.envFile, `KEY=${'k'.repeat(40)}\nSESSION=${fixture.values.SESSION}\n`);
    await expect(proveArchive(plan(), deps, running)).rejects.toMatchObject({ code: 'changed-meanwhile' });
    expect(await states()).toEqual(['unproven']);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(await setAside(plan(), 'the value changed', fixture.seals)).toMatch(
        /^kept aside, unproven: .*\.unproven$/,
      );
    }
    const name = (await fixture.files())[0]!;
    expect(await fixture.files()).toEqual([name, `${name}.json`]);
    expect(name).toMatch(/\.unproven$/);
    const [found] = await readBackups(fixture.directory, fixture.seals);
    expect(found).toMatchObject({ state: 'unproven', manifest: { unproven: 'the value changed', provenAt: null } });
  });

  it('is not proven when its file is not what was written: truncated, altered, gone', async () => {
    const deps = await fixture.deps(plan());
    const { place } = await makeArchive(plan(), deps, running);
    const whole = await readFile(place.archive);
    for (const content of [whole.subarray(0, 200), Buffer.from(whole.toString('latin1').replace(/A/, 'B'), 'latin1')]) {
      await writeFile(place.archive, content);
      await expect(proveArchive(plan(), deps, running)).rejects.toMatchObject({ code: 'archive-changed' });
    }
    await rm(place.archive);
    await expect(proveArchive(plan(), deps, running)).rejects.toMatchObject({ code: 'archive-missing' });
    expect(await states()).toEqual(['unproven']);
  });
});

describe('a proof', () => {
  it('fails for an archive whose recipients are others than the identity’s', async () => {
    const stranger = {
      ...fixture.encryption('age'),
      recipients: ['age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg'],
    };
    const plan = fixture.plan({ encryption: stranger as BackupPlan['encryption'] });
    const deps = await fixture.deps(plan);
    await makeArchive(plan, deps, running);
    await expect(proveArchive(plan, deps, running)).rejects.toMatchObject({ code: 'wrong-key' });
    expect(await states()).toEqual(['unproven']);
  });

  it('fails for an archive of another run under this run’s manifest', async () => {
    const [one, other] = [fixture.plan(), fixture.plan({ requestId: 'run-2-00000001' })];
    const deps = await fixture.deps(one);
    const [first, second] = [await makeArchive(one, deps, running), await makeArchive(other, deps, running)];
    await rename(second.place.archive, first.place.archive);
    await expect(proveArchive(one, deps, running)).rejects.toMatchObject({ code: 'archive-changed' });
  });

  it('that was given is not taken back: set aside afterwards, the backup stays', async () => {
    const plan = fixture.plan();
    await backUp(plan);
    expect(await setAside(plan, 'late', fixture.seals)).toBe('the archive had been proven by then: it counts');
    expect(await states()).toEqual(['proven']);
  });

  it('of an archive that was made aside is none: nothing was written', async () => {
    expect(await setAside(fixture.plan(), 'never made', fixture.seals)).toBe('nothing was written');
    expect(await fixture.files()).toEqual([]);
  });
});

describe('making one', () => {
  it('of a secret without a value says which, and writes nothing', async () => {
    await writeFile(fixture.envFile, `SESSION=${fixture.values.SESSION}\n`);
    const plan = fixture.plan();
    await expect(makeArchive(plan, await fixture.deps(plan), running)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('KEY') as string,
    });
    expect(await fixture.files()).toEqual([]);
  });

  it('where there is no directory writes nothing and makes none', async () => {
    const plan = fixture.plan({ directory: join(fixture.root, 'not-mounted') });
    await expect(makeArchive(plan, await fixture.deps(plan), running)).rejects.toMatchObject({
      code: 'not-found',
      hint: 'create it (mode 0700), or mount the medium that it is on',
    });
    await expect(stat(plan.directory)).rejects.toThrow('ENOENT');
  });

  it('by an attempt that was given up writes nothing', async () => {
    const plan = fixture.plan();
    const deps = await fixture.deps(plan);
    const given = new AbortController();
    const late = {
      ...deps,
      format: {
        ...deps.format,
        name: 'age' as const,
        encrypt: async (text: Uint8Array) => {
          const archive = await deps.format.encrypt(text, running);
          given.abort(new Error('taken over'));
          return archive;
        },
      },
    };
    await expect(makeArchive(plan, late as typeof deps, given.signal)).rejects.toThrow();
    expect(await fixture.files()).toEqual([]);
  });

  it('overwrites the plaintext once it is encrypted', async () => {
    const plan = fixture.plan();
    const deps = await fixture.deps(plan);
    let plaintext: Uint8Array = Buffer.alloc(0);
    const watching = {
      ...deps,
      format: {
        ...deps.format,
        name: 'age' as const,
        encrypt: (text: Uint8Array) => {
          plaintext = text;
          return deps.format.encrypt(text, running);
        },
      },
    };
    await makeArchive(plan, watching, running);
    expect(plaintext.length).toBeGreaterThan(100);
    expect(plaintext.every((byte) => byte === 0)).toBe(true);
  });
});
