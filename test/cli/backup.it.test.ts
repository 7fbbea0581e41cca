/** `keyturn backup` as people use it: a worker of its own, real archives on disk, and a restore with nothing but the archive and a key. */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { freshLedger } from '../support/ledgers.js';
import { freshTaskQueue } from '../support/servers.js';
import { installKeyturn, type Keyturn, type Running, type Transcript } from './support/keyturn.js';
import { said } from './support/said.js';
import { inDeep } from '../support/deep.js';

const SYSTEM = `vaulted-${randomBytes(3).toString('hex')}`;
const FAR = `far-${randomBytes(3).toString('hex')}`;
const taskQueue = freshTaskQueue('cli-backup');
/** Of an environment whose worker is not there: its backup waits. */
const UNSERVED = freshTaskQueue('far');
const value = randomBytes(32).toString('base64url');
// A value that a shell, a terminal or an editor would spoil.
const awkward = `${randomBytes(20).toString('hex')} $HOME "quoted" ünï`;
const passphrase = randomBytes(24).toString('base64');

let keyturn: Keyturn;
let worker: Running;
let env: Record<string, string>;
let identity: string;

beforeAll(async () => {
  keyturn = await installKeyturn();
  identity = await generateIdentity();
  for (const directory of ['vault/key', 'vault/rest'])
    await mkdir(join(keyturn.directory, directory), { recursive: true, mode: 0o700 });
  await keyturn.write('app/.env', `KEY=${value}\nSESSION='${awkward}'\nTOKEN=${randomBytes(16).toString('hex')}\n`);
  await keyturn.write('id.txt', `# for tests\n${identity}\n`);
  await keyturn.write('passphrase.txt', `${passphrase}\n`);
  await keyturn.write(
    'systems/vaulted.yaml',
    `system: ${SYSTEM}
stores: { env: { type: dotenv, file: ../app/.env } }
services: { app: { deploy: { type: command, argv: ['true'] }, health: [alive] } }
checks: { alive: { type: command, argv: ['true'], passes: 1, every: 100ms, within: 5s } }
backups:
  key: { secrets: KEY, to: { directory: ../vault/key }, format: age, recipients: [${await identityToRecipient(identity)}], proof: { identity: { file: ../id.txt } }, qr: png }
  rest: { secrets: [SESSION, TOKEN], to: { directory: ../vault/rest }, format: gpg, passphrase: { env: PASSPHRASE } }
environments: [{ name: production, tier: production, taskQueue: ${taskQueue} }]
secrets:
  KEY: { kind: encryption, critical: true, store: env, services: [app] }
  SESSION: { kind: session, store: env, cadence: 90d, services: [app] }
  TOKEN: { kind: token, store: env, services: [app] }
  ALONE: { kind: provider, critical: true, store: env, services: [app] }
`,
  );
  // Two backups, so that a run leads the runs of both.
  await keyturn.write('far/.env', `ONE=${value}\nOTHER=${value}\n`);
  await keyturn.write(
    'systems/far.yaml',
    `system: ${FAR}
stores: { env: { type: dotenv, file: ../far/.env } }
services: { app: { deploy: { type: command, argv: ['true'] }, health: [alive] } }
checks: { alive: { type: command, argv: ['true'], passes: 1, every: 100ms, within: 5s } }
backups:
  one: { secrets: ONE, to: { directory: ../vault/one }, format: gpg, passphrase: { env: PASSPHRASE } }
  other: { secrets: OTHER, to: { directory: ../vault/other }, format: gpg, passphrase: { env: PASSPHRASE } }
environments: [{ name: production, tier: production, taskQueue: ${UNSERVED} }]
secrets:
  ONE: { kind: session, store: env, services: [app] }
  OTHER: { kind: token, store: env, services: [app] }
`,
  );
  env = {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    KEYTURN_DATABASE_URL: (await freshLedger('cli_backup')).url,
    KEYTURN_FINGERPRINT_KEY: 'a fingerprint key of more than 32 characters',
    KEYTURN_TASK_QUEUE: taskQueue,
    PASSPHRASE: passphrase,
  };
  worker = keyturn.start(['worker', '--task-queue', taskQueue], env);
  await said(worker, `worker for task queue "${taskQueue}"`, 90_000);
}, 180_000);

afterAll(async () => {
  worker.kill('SIGTERM');
  const { exitCode } = await worker;
  await keyturn.remove();
  expect(exitCode).toBe(0);
}, 60_000);

const run = (...args: string[]): Promise<Transcript> => keyturn.run(args, env);

async function newest(directory: string, ending: RegExp): Promise<string> {
  const names = (await readdir(join(keyturn.directory, directory))).filter((name) => ending.test(name)).sort();
  return join(directory, names.at(-1) ?? 'none');
}

function expectNoSecrets(text: string): void {
  for (const secret of [value, awkward, passphrase, identity]) expect(text).not.toContain(secret);
}

describe('in order: none, made, listed, restored', () => {
  test('before any is made, the list says so, and what critical secret has none described', async () => {
    const { exitCode, stdout, stderr } = await run('backup', 'list');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^${SYSTEM}/production/key +${SYSTEM}/production/KEY \\(critical\\) +- +- +90d +no backup$`, 'm'),
    );
    expect(stdout).toMatch(
      new RegExp(`^- +${SYSTEM}/production/ALONE \\(critical\\) +- +- +- +no backup described$`, 'm'),
    );
    expect(stderr).toContain(`note: no backup of ${SYSTEM}/production/KEY in `);
    expect(stderr).toContain(`note: ${SYSTEM}/production/ALONE: it is critical, and `);
    expect((await run('backup', 'list', '--exit-code')).exitCode).toBe(1);
  });

  test('all of a system are made, shown step by step, and recorded', async () => {
    const { exitCode, stdout, all } = await run('backup', SYSTEM, '--operator', 'ana', '--wait', '--note', 'Q4');
    expect(exitCode, all).toBe(0);
    expect(stdout).toMatch(new RegExp(`^started backup:${SYSTEM} \\(backUpSecrets, run [0-9a-f-]{36}\\)$`, 'm'));
    for (const step of ['Make the archive', 'Prove the restore', 'Draw printable codes']) {
      expect(stdout).toMatch(new RegExp(`^✓ ${step} .*: .+`, 'm'));
    }
    for (const name of ['key', 'rest'])
      expect(stdout).toMatch(new RegExp(`${SYSTEM}/production/${name}: completed\n\nledger row \\d+`));
    expectNoSecrets(all);
    const log = await run('log', SYSTEM);
    expect(log.stdout).toMatch(
      new RegExp(`\\| ${SYSTEM}/production/key \\| ana \\| backup \\(age\\) \\| of KEY; Q4; request `),
    );
    expect(log.stdout).toMatch(/\| backup \(gpg\) \| of SESSION, TOKEN; Q4; request /);
    // Found by the name of one, and by the names for several.
    const one = await run('status', `${SYSTEM}/production/key`, '--exit-code');
    expect(one.exitCode).toBe(0);
    expect(one.stdout).toMatch(new RegExp(`^${SYSTEM}/production/key: completed\n`));
    for (const shorter of [SYSTEM, `${SYSTEM}/production`])
      expect((await run('status', shorter)).stdout).toMatch(
        new RegExp(`^${SYSTEM}/production/key: completed[^]*^${SYSTEM}/production/rest: completed\n`, 'm'),
      );
  }, 120_000);

  test('then the list says since when, and the inventory counts no rotation', async () => {
    const { exitCode, stdout } = await run('backup', 'list', `${SYSTEM}/production/key`, '--exit-code');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/KEY \(critical\) +\d{4}-\d\d-\d\d +[\d.]+m?s +90d +proven$/m);
    const json = await run('--json', 'backup', 'list', `${SYSTEM}/production/rest`);
    const { backups } = JSON.parse(json.stdout) as { backups: { secret: string; state: string; archive: string }[] };
    expect(backups.map(({ secret, state }) => [secret, state])).toEqual([
      [`${SYSTEM}/production/SESSION`, 'proven'],
      [`${SYSTEM}/production/TOKEN`, 'proven'],
    ]);
    expect((await run('inventory')).stdout).toMatch(new RegExp(`${SYSTEM}/production/SESSION .*never recorded`));
  });

  test('one is restored with nothing but the archive and its key', async () => {
    const archive = await newest('vault/key', /\.age$/);
    const bare = (...args: string[]): Promise<Transcript> => keyturn.run(['backup', 'restore', archive, ...args]);
    const shown = await bare('--identity-file', 'id.txt');
    expect(shown.exitCode, shown.all).toBe(0);
    expect(shown.stdout).toMatch(new RegExp(`^${SYSTEM}/production/key, made \\d{4}-`));
    expect(shown.stdout).toMatch(
      new RegExp(`^${SYSTEM}/production/KEY +current +encryption +[0-9a-f]{12} +43 characters$`, 'm'),
    );
    expect(shown.stderr).toContain(
      `to get one: keyturn backup restore ${archive} --identity-file id.txt --reveal ${SYSTEM}/production/KEY > FILE`,
    );
    expectNoSecrets(shown.all);
    expect(JSON.parse((await bare('--identity-file', 'id.txt', '--json')).stdout)).toMatchObject({
      secrets: [{ version: 'current', length: 43 }],
    });
    const revealed = await bare('--identity-file', 'id.txt', '--reveal', 'KEY');
    expect(revealed).toMatchObject({ exitCode: 0, stdout: value, stderr: '' });
  });

  inDeep.test('by gpg with the passphrase from a file or a pipe, to the exact bytes', async () => {
    const archive = await newest('vault/rest', /\.asc$/);
    const revealed = await keyturn.run([
      'backup',
      'restore',
      archive,
      '--passphrase-file',
      'passphrase.txt',
      '--reveal',
      'SESSION',
    ]);
    expect(revealed).toMatchObject({ exitCode: 0, stdout: awkward });
    const piped = keyturn.start([
      'backup',
      'restore',
      archive,
      '--passphrase-file',
      '-',
      '--reveal',
      `${SYSTEM}/production/SESSION@current`,
    ]);
    piped.stdin.end(`${passphrase}\n`);
    expect(await piped).toMatchObject({ exitCode: 0, stdout: awkward });
  });
});

inDeep.test(
  'a backup under way is among what runs, and so is the run that leads several',
  async () => {
    expect((await run('backup', FAR, '--operator', 'ana')).exitCode).toBe(0);
    const row = new RegExp(
      `^${FAR}/production/one +backUpSecrets +preparing +\\S+ ago +a worker: none polls ${UNSERVED}$`,
      'm',
    );
    await expect.poll(async () => (await run('status')).stdout, { timeout: 60_000 }).toMatch(row);
    const { stdout } = await run('status');
    expect(stdout).toMatch(new RegExp(`^${FAR} +backUpSecrets +one after the other +\\S+ ago$`, 'm'));
    expect(stdout).not.toContain(`${FAR}/production/other`);
    const { running } = JSON.parse((await run('status', '--json')).stdout) as { running: Record<string, unknown>[] };
    expect(running.filter(({ ref }) => String(ref).startsWith(FAR))).toMatchObject([
      { ref: FAR, workflowType: 'backUpSecrets', workflowId: `backup:${FAR}`, status: null },
      {
        ref: `${FAR}/production/one`,
        workflowId: `backup:${FAR}/production/one`,
        status: { phase: 'preparing' },
        unservedQueues: [UNSERVED],
      },
    ]);
    const connection = await Connection.connect({ address: inject('temporalAddress') });
    const { workflow } = new Client({ connection });
    for (const id of [FAR, `${FAR}/production/one`]) await workflow.getHandle(`backup:${id}`).terminate('seen');
    await connection.close();
    await expect.poll(async () => (await run('status')).stdout, { timeout: 20_000 }).not.toContain(FAR);
  },
  120_000,
);

describe('what goes wrong is told with what to do', () => {
  test.each([
    [['backup'], 2, "missing required argument 'ref'"],
    [['backup', SYSTEM], 2, "required option '--operator <who>' not specified"],
    [['backup', `${SYSTEM}/production/kye`, '--operator', 'ana'], 2, 'hint: did you mean "key"?'],
    [['backup', 'a/b/c/d', '--operator', 'ana'], 2, 'does not name backups'],
    [['backup', 'list', 'nowhere'], 2, 'no system "nowhere"'],
    [['backup', 'restore', 'gone.age', '--identity-file', 'id.txt'], 1, 'there is no file gone.age'],
    [['backup', 'restore', 'app/.env', '--identity-file', 'id.txt'], 1, 'neither an age nor a gpg archive'],
  ] as [string[], number, string][])('keyturn %j', async (args, code, message) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
    expect(stderr).toContain(message);
    expectNoSecrets(stderr);
  });

  test('wrong keys, missing keys and names, and damaged archives', async () => {
    const [age, gpg] = [await newest('vault/key', /\.age$/), await newest('vault/rest', /\.asc$/)];
    await keyturn.write('stranger.txt', await generateIdentity());
    await keyturn.write('wrong.txt', 'another passphrase of some length');
    await copyFile(join(keyturn.directory, age), join(keyturn.directory, 'cut.age'));
    const text = await readFile(join(keyturn.directory, 'cut.age'), 'latin1');
    await writeFile(join(keyturn.directory, 'cut.age'), text.slice(0, text.length / 2));
    for (const [args, code, message] of [
      [[age], 2, 'it takes an identity to open it'],
      [[gpg], 2, 'it takes the passphrase to open it'],
      [[age, '--identity-file', 'nowhere.txt'], 2, 'nowhere.txt cannot be read: ENOENT'],
      [[age, '--identity-file', 'stranger.txt'], 1, 'encrypted for other recipients'],
      [[age, '--identity-file', 'passphrase.txt'], 1, 'no age identity in line 1'],
      [[gpg, '--passphrase-file', 'wrong.txt'], 1, 'the passphrase does not open this archive'],
      [['cut.age', '--identity-file', 'id.txt'], 1, 'the archive is damaged'],
      [[age, '--identity-file', 'id.txt', '--reveal', 'KYE'], 1, `hint: it holds: ${SYSTEM}/production/KEY`],
      [[age, '--identity-file', 'id.txt', '--reveal', 'KEY@pending'], 1, 'no pending value of "KEY"'],
      [[age, '--identity-file', 'id.txt', '--reveal', 'KEY', '--json'], 2, 'not a document'],
    ] as [string[], number, string][]) {
      const { exitCode, all, stderr } = await run('backup', 'restore', ...args);
      expect(exitCode, all).toBe(code);
      expect(stderr).toContain(message);
      expectNoSecrets(all);
    }
  }, 60_000);

  test('a backup that cannot be made exits 1 when nothing was begun', async () => {
    const path = join(keyturn.directory, 'id.txt');
    const before = await readFile(path, 'utf8');
    await writeFile(path, await generateIdentity());
    const { exitCode, stderr } = await run('backup', `${SYSTEM}/production/key`, '--operator', 'ana', '--wait');
    await writeFile(path, before);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('belongs to none of the recipients');
    expect(stderr).toContain('nothing was changed');
  });

  test('an archive that somebody altered shows in the list', async () => {
    const archive = join(keyturn.directory, await newest('vault/key', /\.age$/));
    const before = await readFile(archive);
    await writeFile(archive, before.subarray(1));
    const { stdout, stderr } = await run('backup', 'list', `${SYSTEM}/production/key`);
    await writeFile(archive, before);
    expect(stdout).toMatch(/archive changed$/m);
    expect(stderr).toContain('does not count');
  });

  test('without the key of the fingerprints the list cannot tell, and says where to ask', async () => {
    const { exitCode, stderr } = await keyturn.run(['backup', 'list']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('KEYTURN_FINGERPRINT_KEY is not set');
  });
});
