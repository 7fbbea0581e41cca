/** `rotateSessionSecret` on a secret that is a mounted file: arena's SECRET_KEY, in Python, under traffic. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeJwt, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportHistories, searchFor } from '../../src/demo/leaks.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic } from '../../src/demo/traffic.js';
import type { RotationReport } from '../../src/domain/report.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { afterwards } from '../support/afterwards.js';
import { python, readSecret, secretFile, tokenOf } from '../examples/support/arena.js';
import { ask, EXAMPLES, query, runningSystemsWith } from '../examples/support/running-system.js';
import { openStage, textOf, type Stage } from './support/stage.js';
import { swapsOn } from './support/swaps.js';

const PATIENCE_MS = 400_000;
const REF = 'arena/production/SECRET_KEY';
/** As long as the copy of the inventory says below: the overlap outlives every token. */
const TOKEN_SECONDS = 20;

describe.skipIf(python === null)('arena', () => {
  let system: ExampleSystem;
  let stage: Stage;

  beforeAll(async () => {
    const settings = { arena: { ACCESS_TOKEN_EXPIRE_MINUTES: String(TOKEN_SECONDS / 60) } };
    system = (await runningSystemsWith(settings, 'arena'))[0]!;
    stage = await openStage('arena', [system], { inventory: await quickInventory() });
    await stage.startWorker();
  }, PATIENCE_MS);

  test('no request fails and nobody is logged out while SECRET_KEY changes', { timeout: PATIENCE_MS }, async () => {
    const old = readSecret(system, 'secret_key');
    const listed = await stage.keyturn('inventory');
    expect(listed.stdout).toContain('docker-secrets:');
    const planned = await stage.keyturn('plan', REF);
    expect(planned.exitCode, planned.stderr).toBe(0);
    const traffic = await startTraffic([system], { people: 6, rate: 40 });
    const started = await stage.keyturn('rotate', REF, '--operator', 'ana@example.test');
    expect(started.exitCode, started.stderr).toBe(0);
    const { runOf, approve } = swapsOn(stage);
    const run = runOf(REF);
    await approve(run, 'promote');
    await stage.until(run, ({ gate }) => gate?.name === 'retire');
    // Both are accepted, in one file without a byte more.
    const [fresh = '', ...others] = readSecret(system, 'secret_key').split(',');
    expect(others).toEqual([old]);
    expect(fresh).toMatch(/^[0-9a-f]{64}$/);
    await approve(run, 'retire');
    const report = (await run.result()) as RotationReport;
    expect(report.outcome, JSON.stringify(report.steps)).toBe('completed');

    const counts = (await traffic.stop()).get('arena')!;
    const { failed, refused, signedInAgain, served } = counts;
    expect({ failed, refused, signedInAgain }, traffic.failures('arena').join('\n')).toEqual({
      failed: 0,
      refused: 0,
      signedInAgain: 0,
    });
    expect(served).toBeGreaterThan(500);

    expect(readSecret(system, 'secret_key')).toBe(fresh);
    const { mode } = await stat(secretFile(system, 'secret_key'));
    expect(mode & 0o7777).toBe(0o400);
    const directory = dirname(secretFile(system, 'secret_key'));
    expect((await readdir(directory)).sort()).toEqual(['credential_encryption_key', 'secret_key']);
    // Nothing of the old value is left beside it.
    expect((await readdir(dirname(directory))).filter((name) => name.includes('keyturn'))).toEqual([]);

    const claims = decodeJwt(await tokenOf(system));
    const forge = (key: string): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(key));
    expect((await ask(system, '/api/me', { token: await forge(old) })).status).toBe(401);
    expect((await ask(system, '/api/me', { token: await forge(fresh) })).status).toBe(200);
    // The worker has collected all the while, and read every credential.
    const [totals] = await query(system, 'SELECT rounds, failures FROM collection_totals');
    expect([Number(totals!['rounds']) > 10, Number(totals!['failures'])]).toEqual([true, 0]);

    const printed = [listed, planned, started].map(({ stdout, stderr }) => stdout + stderr).join('\n');
    const texts = new Map([...(await exportHistories(stage.client)), ['printed', printed]]);
    texts.set('worker log', await textOf(stage.workerLog));
    const values = [old, fresh, readSecret(system, 'credential_encryption_key'), system.password.reveal()];
    expect(searchFor(values, texts).found).toEqual([]);
    const log = await stage.keyturn('log');
    expect(log.stdout).toContain(`| ${REF} | ana@example.test |`);
  });
});

/** The inventory as it is, but for tokens that live seconds in the place of half an hour. */
async function quickInventory(): Promise<string> {
  const directory = await temporaryDirectory('inventory');
  afterwards(() => directory.remove());
  const text = readFileSync(join(EXAMPLES, 'arena', 'system.yaml'), 'utf8');
  const quick = text
    .replace('tokenLifetime: 30m, skew: 5m', `tokenLifetime: ${TOKEN_SECONDS}s, skew: 2s`)
    .replaceAll('watch: 1m', 'watch: 5s');
  expect(quick).not.toBe(text);
  mkdirSync(join(directory.path, 'arena'));
  writeFileSync(join(directory.path, 'arena', 'system.yaml'), quick);
  return directory.path;
}
