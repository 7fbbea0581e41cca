import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeArchive } from '../../src/backups/make-archive.js';
import { proveArchive } from '../../src/backups/prove-archive.js';
import { findBackup } from '../../src/backups/find-backup.js';
import { readBackups } from '../../src/backups/read-backups.js';
import { createSealer } from '../../src/backups/seal.js';
import { sha256 } from '../../src/backups/manifest.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { backupFixture, FINGERPRINT_KEY, running, type BackupFixture } from './support/fixture.js';

let fixture: BackupFixture;
beforeEach(async () => {
  fixture = await backupFixture();
});
afterEach(() => fixture.remove());

/** Of a backup that was made and not proven. */
async function unproven(): Promise<{ path: string; manifest: Record<string, unknown>; seal: string }> {
  const plan = fixture.plan();
  const { place } = await makeArchive(plan, await fixture.deps(plan), running);
  const { seal, ...manifest } = JSON.parse(await readFile(place.manifest, 'utf8')) as Record<string, unknown>;
  return { path: place.manifest, manifest, seal: String(seal) };
}

const states = async (): Promise<string[]> =>
  (await readBackups(fixture.directory, fixture.seals)).map(({ state }) => state);

describe('a seal cannot be had by giving Keyturn a value whose fingerprint it then shows', () => {
  it.each([
    ['the text that is sealed', (text: string) => text],
    ['its digest behind a word', (text: string) => `keyturn backup manifest ${sha256(Buffer.from(text, 'utf8'))}`],
    ['its digest', (text: string) => sha256(Buffer.from(text, 'utf8'))],
  ])('%s', async (_, spelled) => {
    const { path, manifest, seal } = await unproven();
    const forged = { ...manifest, provenAt: new Date().toISOString() };
    const shown = fixture.fingerprint(new SecretValue(spelled(canonicalJson(forged)))).fingerprint;
    await writeFile(path, JSON.stringify({ ...forged, seal: shown }));
    expect(await states()).not.toContain('proven');
    await writeFile(path, JSON.stringify({ ...forged, seal: shown.padEnd(seal.length, shown) }));
    expect(await states()).not.toContain('proven');
    const own = fixture.fingerprint(new SecretValue(spelled(canonicalJson(manifest)))).fingerprint;
    expect(seal.startsWith(own.slice(0, 12))).toBe(false);
  });
});

describe('the whole seal counts', () => {
  it('of 256 bits: each of them', async () => {
    const { path, manifest, seal } = await unproven();
    expect(seal).toMatch(/^[0-9a-f]{64}$/);
    expect(await states()).toEqual(['unproven']);
    for (const at of [0, 11, 12, 31, 32, 63]) {
      const other = `${seal.slice(0, at)}${seal[at] === '0' ? '1' : '0'}${seal.slice(at + 1)}`;
      await writeFile(path, JSON.stringify({ ...manifest, seal: other }));
      expect(await states()).toEqual(['manifest altered']);
    }
  });

  it.each([
    ['shortened', (seal: string) => seal.slice(0, 12)],
    ['longer', (seal: string) => `${seal}00`],
    ['empty', () => ''],
    ['no digits', () => 'z'.repeat(64)],
    ['in capitals', (seal: string) => seal.toUpperCase()],
  ])('%s: no seal, and no error', (_, change) => {
    const seals = createSealer(FINGERPRINT_KEY);
    const seal = seals.seal('text');
    expect(seals.fits('text', seal)).toBe(true);
    expect(seals.fits('text', change(seal))).toBe(false);
    expect(createSealer(`${FINGERPRINT_KEY}2`).fits('text', seal)).toBe(false);
  });
});

describe('fingerprints', () => {
  it('that are 128 bits long are made with a key of their own', () => {
    const text = 'a value of this test, of more than 32 characters';
    const { fingerprint } = createFingerprinter(FINGERPRINT_KEY)(new SecretValue(text));
    expect(fingerprint).toMatch(/^[0-9a-f]{32}$/);
    expect(createSealer(FINGERPRINT_KEY).seal(text).startsWith(fingerprint)).toBe(false);
  });

  // Found by trying 36 million values under the key of these tests, in a minute or two.
  it('of two values whose first 48 bits agree differ, and the backup of one is none of the other', async () => {
    const [held, other] = [19_578_095, 25_732_967].map(
      (index) => new SecretValue(`one-of-two-values-that-begin-alike-${index}`),
    );
    const [one, two] = [fixture.fingerprint(held!).fingerprint, fixture.fingerprint(other!).fingerprint];
    expect(one.slice(0, 12)).toBe(two.slice(0, 12));
    await writeFile(fixture.envFile, `KEY=${held!.reveal()}\nSESSION=${fixture.values.SESSION}\n`);
    const plan = fixture.plan();
    const deps = await fixture.deps(plan);
    await makeArchive(plan, deps, running);
    await proveArchive(plan, deps, running);
    const places = [{ backup: 'arena/production/keys', directory: fixture.directory, maxAge: '90d' }];
    const question = { places, ref: 'arena/production/KEY', now: new Date() };
    const verdict = async (fingerprint: string): Promise<string> =>
      (await findBackup({ ...question, fingerprint }, fixture.seals)).verdict;
    expect(await verdict(one)).toBe('proven');
    expect(await verdict(two)).toBe('of another value');
  });
});
