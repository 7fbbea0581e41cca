/**
 * `rotateEncryptionKey` on the example systems, by the command line and a worker: mediavault's saved provider keys while it serves
 * (document 000, without anybody typing them again), and arena's credentials while it stands still (document 004).
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportHistories, searchFor } from '../../src/demo/leaks.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic } from '../../src/demo/traffic.js';
import type { RotationReport } from '../../src/domain/report.js';
import { python, readSecret } from '../examples/support/arena.js';
import { ask, logIn, query, readSetting, runningSystems } from '../examples/support/running-system.js';
import { openStage, textOf, type Stage } from './support/stage.js';
import { swapsOn } from './support/swaps.js';

const PATIENCE_MS = 300_000;

async function open(name: 'mediavault' | 'arena'): Promise<{ system: ExampleSystem; stage: Stage }> {
  const [system] = await runningSystems(name);
  const stage = await openStage(`reencrypt-${name}`, [system!]);
  await stage.startWorker();
  return { system: system!, stage };
}

async function rotated(
  stage: Stage,
  ref: string,
  gates: readonly string[],
  ...more: string[]
): Promise<RotationReport> {
  const started = await stage.keyturn('rotate', ref, '--operator', 'ana@example.test', ...more);
  expect(started.exitCode, started.stderr).toBe(0);
  const { runOf, approve } = swapsOn(stage);
  for (const gate of gates) await approve(runOf(ref), gate);
  const report = (await runOf(ref).result()) as RotationReport;
  expect(report.outcome, JSON.stringify(report.steps)).toBe('completed');
  return report;
}

describe('mediavault', () => {
  const REF = 'mediavault/production/INTEGRATION_ENCRYPTION_KEY';
  const saved = { tmdb: 'tmdb-key-of-the-library', plex: 'plex-token-of-the-library' };
  let system: ExampleSystem;
  let stage: Stage;

  beforeAll(async () => {
    ({ system, stage } = await open('mediavault'));
    const { cookie } = await logIn(system);
    for (const [provider, key] of Object.entries(saved)) {
      const said = await ask(system, `/api/integrations/${provider}`, {
        method: 'PUT',
        cookie: cookie!,
        json: { key },
      });
      expect(said.status).toBe(200);
    }
  }, PATIENCE_MS);

  test('a plan counts the rows by state, says how long it takes, and changes nothing', async () => {
    const { exitCode, stdout, stderr } = await stage.keyturn('plan', REF);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain('2 rows: 2 under the key in use, 0 empty, 0 unreadable');
    expect(stdout).toMatch(/about 1s to re-encrypt/);
    expect(await query(system, 'SELECT 1 FROM app_integrations')).toHaveLength(2);
  });

  test('nobody is refused, and no provider’s key is typed again', { timeout: PATIENCE_MS }, async () => {
    const old = readSetting(system, 'INTEGRATION_ENCRYPTION_KEY');
    const rows = (what: string) => query(system, `SELECT ${what} FROM app_integrations ORDER BY provider`);
    const [sealed, others] = [await rows('api_key_encrypted'), await rows('provider, updated_at')];
    const traffic = await startTraffic([system], { people: 4, rate: 40 });
    const report = await rotated(stage, REF, ['retire']);
    const counts = (await traffic.stop()).get('mediavault')!;
    expect({ failed: counts.failed, refused: counts.refused, again: counts.signedInAgain }).toEqual({
      failed: 0,
      refused: 0,
      again: 0,
    });

    expect(await rows('provider, updated_at')).toEqual(others);
    const resealed = await rows('api_key_encrypted');
    expect(resealed.filter((row, at) => row.api_key_encrypted === sealed[at]?.api_key_encrypted)).toEqual([]);
    const { cookie } = await logIn(system);
    const { json } = await ask(system, '/api/integrations', { cookie: cookie! });
    const readable = (json as { integrations: { provider: string; readable: boolean | null }[] }).integrations;
    expect(readable.filter((one) => one.readable).map(({ provider }) => provider)).toEqual(['tmdb', 'plex']);
    expect(readFileSync(system.envFile, 'utf8')).not.toContain('INTEGRATION_ENCRYPTION_KEY_PREVIOUS');
    expect(readFileSync(system.envFile, 'utf8')).not.toContain(old);
    expect(report.steps.find(({ name }) => name.startsWith('Prove'))?.evidence?.summary).toMatch(
      /2 of 2 rows; under the old one: none/,
    );

    const values = [old, readSetting(system, 'INTEGRATION_ENCRYPTION_KEY'), ...Object.values(saved)];
    const texts = new Map([...(await exportHistories(stage.client)), ['worker log', await textOf(stage.workerLog)]]);
    expect(searchFor(values, texts).found).toEqual([]);
  });
});

describe.skipIf(python === null)('arena', () => {
  const REF = 'arena/production/CREDENTIAL_ENCRYPTION_KEY';
  let system: ExampleSystem;
  let stage: Stage;

  beforeAll(async () => {
    ({ system, stage } = await open('arena'));
  }, PATIENCE_MS);

  test(
    'stands still while every credential gets its new key, and then collects as before',
    { timeout: PATIENCE_MS },
    async () => {
      const old = readSecret(system, 'credential_encryption_key');
      const before = await query(system, 'SELECT id, encrypted_value FROM api_credentials ORDER BY id');
      expect(before.length).toBeGreaterThan(0);
      // Critical: without a proven backup of the key in use its rotation does not begin.
      const backup = await stage.keyturn('backup', 'arena/production', '--operator', 'ana@example.test', '--wait');
      expect(backup.exitCode, backup.stdout + backup.stderr).toBe(0);
      // Not routine: the maintenance window is not waited for.
      const report = await rotated(stage, REF, ['promote', 'retire'], '--reason', 'suspicion');
      expect(report.steps.map(({ name, state }) => `${name}: ${state}`)).toContain('Back up the new key: done');
      const after = await query(system, 'SELECT id, encrypted_value FROM api_credentials ORDER BY id');
      expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
      const kept = new Set(before.map((row) => row.encrypted_value));
      expect(after.filter((row) => kept.has(row.encrypted_value))).toEqual([]);
      const fresh = readSecret(system, 'credential_encryption_key');
      expect(fresh).toMatch(/^[\w-]{43}=$/);
      expect(fresh).not.toBe(old);
      // The application's own decryption check.
      expect((await ask(system, '/api/arenas/health')).status).toBe(200);
    },
  );
});
