/**
 * The day after a key was lost (document 004), on arena and by the command line: backups made and restored, what still reads kept, the
 * rest quarantined, entered again through the application, and the arenas that had been switched off switched on.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { exportHistories, searchFor } from '../../src/demo/leaks.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { control, python, readSecret, tokenOf } from '../examples/support/arena.js';
import { ask, EXAMPLES, query, runningSystems, variable } from '../examples/support/running-system.js';
import { afterwards } from '../support/afterwards.js';
import { openStage, poll, textOf, type Said, type Stage } from './support/stage.js';
import { swapsOn } from './support/swaps.js';

const PATIENCE_MS = 400_000;
const REF = 'arena/production/CREDENTIAL_ENCRYPTION_KEY';
const ANA = ['--operator', 'ana@example.test'];
/** Of those that are lost, the platforms whose collection is paid for. */
const LOST = [
  ['serper', 'default'],
  ['serper', 'spare-6'],
  ['tiktok', 'default'],
  ['tiktok', 'spare-7'],
] as const;
const KEPT = [
  ['bluesky', 'default'],
  ['bluesky', 'spare-4'],
  ['reddit', 'default'],
  ['reddit', 'spare-5'],
] as const;

describe.skipIf(python === null)('arena', () => {
  let system: ExampleSystem;
  let stage: Stage;
  let token: string;
  const printed: Said[] = [];

  const keyturn = async (code: number, ...args: string[]): Promise<Said> => {
    const said = await stage.keyturn(...args);
    printed.push(said);
    expect(said.exitCode, said.stdout + said.stderr).toBe(code);
    return said;
  };
  const archives = async (medium: string): Promise<string[]> => {
    const directory = variable(system, medium);
    const names = (await readdir(directory)).filter((name) => name.endsWith('.age'));
    return names.sort().map((name) => join(directory, name));
  };
  const enter = async ([platform, name]: readonly [string, string], value: string): Promise<void> => {
    const json = { value, name };
    const said = await ask(system, `/api/admin/credentials/${platform}`, { method: 'PUT', json, token });
    expect(said.status).toBe(200);
  };
  const arenas = async (): Promise<Record<string, unknown>> => {
    const rows = await query(system, 'SELECT platform, enabled FROM arenas ORDER BY platform');
    return Object.fromEntries(rows.map(({ platform, enabled }) => [platform, enabled])) as Record<string, unknown>;
  };
  const credentials = () =>
    query(system, 'SELECT platform, credential_name FROM api_credentials ORDER BY platform, credential_name');

  beforeAll(async () => {
    system = (await runningSystems('arena'))[0]!;
    stage = await openStage('lost-key', [system], { inventory: await quickInventory() });
    await stage.startWorker();
    token = await tokenOf(system);
  }, PATIENCE_MS);

  test(
    'both critical secrets are backed up apart, and restored by either identity',
    { timeout: PATIENCE_MS },
    async () => {
      // Without one the key would not be rotated, and it is told what to type.
      const before = await keyturn(1, 'plan', REF);
      expect(before.stdout).toMatch(
        /make one: .*main\.js backup arena\/production\/encryption-key --operator YOUR-NAME --wait/,
      );
      const { stdout } = await keyturn(0, 'backup', 'arena', ...ANA, '--wait');
      expect(stdout.match(/✓ Prove the restore/g)).toHaveLength(2);
      await keyturn(0, 'backup', 'list', 'arena/production', '--exit-code');
      const { identityFile, safeIdentityFile } = system.backups!;
      for (const [medium, secret, file, identity] of [
        ['_ENCRYPTION_KEY_BACKUPS', 'CREDENTIAL_ENCRYPTION_KEY', 'credential_encryption_key', identityFile],
        ['_SIGNING_KEY_BACKUPS', 'SECRET_KEY', 'secret_key', safeIdentityFile],
      ] as const) {
        const [archive = ''] = await archives(medium);
        // Not among what was printed: it is the value itself.
        const revealed = await stage.keyturn(
          'backup',
          'restore',
          archive,
          '--identity-file',
          identity,
          '--reveal',
          secret,
        );
        expect(revealed.stdout).toBe(readSecret(system, file));
      }
    },
  );

  test(
    'with a backup of it at hand a key is not lost, and the archive is named',
    { timeout: PATIENCE_MS },
    async () => {
      const lost = readSecret(system, 'credential_encryption_key');
      await loseKey();
      expect(readSecret(system, 'credential_encryption_key')).not.toBe(lost);
      expect(await ask(system, '/api/arenas/health')).toMatchObject({
        status: 503,
        json: { credentials: { unreadable: 8 } },
      });
      const [archive = ''] = await archives('_ENCRYPTION_KEY_BACKUPS');
      const { stderr } = await keyturn(1, 'recover', REF, ...ANA, '--wait');
      expect(stderr).toContain('the key is not lost');
      expect(stderr).toContain('reads 8 row(s)');
      // As if the medium had burnt: nothing that arena or its worker can reach has the key now.
      await rename(archive, join(system.envFile, '..', 'burnt.age'));
    },
  );

  test(
    'what reads is kept, the rest is entered again, and what was switched off is switched on',
    { timeout: PATIENCE_MS },
    async () => {
      const inUse = readSecret(system, 'credential_encryption_key');
      const values = [...KEPT, ...LOST].map((one) => `entered-${one.join('-')}-after-the-loss`);
      for (const [at, one] of KEPT.entries()) await enter(one, values[at]!);
      // The worker says which arenas are affected; people switch those off.
      await poll('the worker’s word on all four', async () => {
        const rows = await query(system, 'SELECT platform FROM arenas WHERE last_error IS NOT NULL ORDER BY platform');
        const named = rows.map(({ platform }) => platform).join(' ');
        return named === 'serper tiktok' ? { value: true } : { seen: named };
      });
      for (const platform of ['serper', 'tiktok'])
        expect((await ask(system, `/api/admin/arenas/${platform}/disable`, { method: 'POST', token })).status).toBe(
          200,
        );
      // For a reason of its own, which is nobody's business here.
      expect((await ask(system, '/api/admin/arenas/reddit/disable', { method: 'POST', token })).status).toBe(200);

      const asked = await keyturn(4, 'recover', REF, ...ANA, '--wait', '--stop-at-gate');
      expect(asked.stdout).toContain('4 row(s) that none of these keys reads');
      expect((await keyturn(0, 'status')).stdout).toMatch(
        new RegExp(`^${REF} +recoverLostKey +Approval: .*decision: recover`, 'm'),
      );
      const { runOf, approve } = swapsOn(stage);
      const run = runOf(REF);
      await approve(run, 'recover');
      await stage.until(run, ({ gate }) => gate?.name === 'reentry');
      expect((await credentials()).map((row) => Object.values(row))).toEqual(KEPT);
      const [quarantine] = await query(
        system,
        `SELECT relname FROM pg_class WHERE relname ~ '^api_credentials_quarantine_' AND relkind = 'r'`,
      );
      const moved = await query(
        system,
        `SELECT platform, credential_name FROM ${String(quarantine!['relname'])} ORDER BY 1, 2`,
      );
      expect(moved.map((row) => Object.values(row))).toEqual(LOST);
      expect(await arenas()).toEqual({ bluesky: true, reddit: false, serper: false, tiktok: false });

      token = await tokenOf(system);
      await enter(LOST[0], values[4]!);
      const ticked = await stage.until(run, ({ steps }) =>
        steps.some(({ seen }) => seen?.some((line) => line.startsWith('☑'))),
      );
      const lines = ticked.steps.flatMap(({ seen }) => seen ?? []);
      expect(lines.filter((line) => line.startsWith('☐'))).toHaveLength(3);
      expect(lines.find((line) => line.startsWith('☑'))).toContain('platform=serper, credential_name=default');
      for (const [at, one] of LOST.slice(1).entries()) await enter(one, values[5 + at]!);
      expect(await run.result()).toMatchObject({ outcome: 'completed', todo: [] });

      expect(await arenas()).toEqual({ bluesky: true, reddit: false, serper: true, tiktok: true });
      expect(await ask(system, '/api/arenas/health')).toMatchObject({
        status: 200,
        json: { credentials: { total: 8, unreadable: 0 } },
      });
      expect(await ask(system, '/api/arenas/tiktok/collect', { method: 'POST', token })).toMatchObject({
        json: { usedCharacters: values[6]!.length },
      });
      // The fresh key was backed up by the run itself.
      await keyturn(0, 'backup', 'list', 'arena/production', '--exit-code');
      const fresh = readSecret(system, 'credential_encryption_key');
      expect(fresh).not.toBe(inUse);
      const log = await keyturn(0, 'log', REF);
      expect(log.stdout).toContain(`| ${REF} | ana@example.test | recover lost key |`);
      await keyturn(0, 'log', '--verify');

      const texts = new Map([...(await exportHistories(stage.client)), ['worker log', await textOf(stage.workerLog)]]);
      texts.set('printed', printed.map(({ stdout, stderr }) => stdout + stderr).join('\n'));
      const identity = readFileSync(system.backups!.identityFile, 'utf8').trim().split('\n').at(-1)!;
      expect(searchFor([inUse, fresh, identity, ...values, system.password.reveal()], texts).found).toEqual([]);
    },
  );

  /** As `npm start` says it. */
  async function loseKey(): Promise<void> {
    const argv = [join(EXAMPLES, 'arena', 'admin.py'), '--env-file', system.envFile, 'lose-key'];
    await execa('python3', [...argv, '--control', variable(system, '_CONTROL')], { timeout: 100_000 });
    expect((await control(system, 'status', 'app')).output).toBe('app: 2 running');
  }
});

/** The inventory as it is, but that nobody watches for a minute, or waits ten seconds for a tick. */
async function quickInventory(): Promise<string> {
  const directory = await temporaryDirectory('inventory');
  afterwards(() => directory.remove());
  const text = readFileSync(join(EXAMPLES, 'arena', 'system.yaml'), 'utf8');
  const quick = text.replaceAll('watch: 1m', 'watch: 2s').replace('watchEvery: 10s', 'watchEvery: 1s');
  expect(quick).not.toBe(text);
  mkdirSync(join(directory.path, 'arena'));
  writeFileSync(join(directory.path, 'arena', 'system.yaml'), quick);
  return directory.path;
}
