/** `keyturn recover` as people use it: a worker of its own, a table whose key is lost, and somebody else who approves. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeHostile } from '../support/hostile-database.js';
import { freshLedger } from '../support/ledgers.js';
import { freshDatabase, freshRoleName, freshTaskQueue } from '../support/servers.js';
import { freshKey, sealed } from '../workflows/encryption/support/fernet.js';
import { installKeyturn, type Keyturn, type Running } from './support/keyturn.js';

const SYSTEM = `bereft-${randomBytes(3).toString('hex')}`;
const REF = `${SYSTEM}/production/KEY`;
const taskQueue = freshTaskQueue('cli-recover');
const inUse = freshKey();

let keyturn: Keyturn;
let worker: Running;
let database: pg.Client;
let env: Record<string, string>;

beforeAll(async () => {
  keyturn = await installKeyturn();
  const { url } = await freshDatabase('cli_recover');
  // Whose tables are the application's.
  await makeHostile(url, freshRoleName('cli_recover'));
  database = new pg.Client({ connectionString: url });
  await database.connect();
  await database.query('CREATE TABLE credentials (id int PRIMARY KEY, platform text, value text)');
  const rows = [sealed('kept', inUse), sealed('lost', freshKey())];
  await database.query(
    `INSERT INTO credentials SELECT o, 'p' || o, v FROM unnest($1::text[]) WITH ORDINALITY n(v, o)`,
    [rows],
  );
  await keyturn.write('app/.env', `KEY=${inUse}\nTOKEN=${randomBytes(16).toString('hex')}\n`);
  await keyturn.write(
    'systems/bereft.yaml',
    `system: ${SYSTEM}
stores: { env: { type: dotenv, file: ../app/.env } }
databases: { app: { url: { env: APP_ADMIN } } }
services: { app: { deploy: { type: command, argv: ['true'], stop: ['true'] }, health: [alive] } }
checks: { alive: { type: command, argv: ['true'], passes: 1, every: 100ms, within: 5s } }
environments:
  - { name: staging, tier: staging, taskQueue: ${taskQueue}, stores: { env: { type: dotenv, file: ../staging/.env } } }
  - { name: production, tier: production, taskQueue: ${taskQueue} }
secrets:
  TOKEN: { kind: token, store: env, services: [app] }
  KEY:
    kind: encryption
    store: env
    generator: fernet
    services: [app]
    encryption:
      { database: app, key: fernet, columns: [{ table: credentials, column: value }], recovery: { label: [platform], watchEvery: 1s, folders: [../safe] } }
`,
  );
  env = {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    KEYTURN_DATABASE_URL: (await freshLedger('cli_recover_ledger')).url,
    KEYTURN_FINGERPRINT_KEY: 'a fingerprint key of more than 32 characters',
    KEYTURN_TASK_QUEUE: taskQueue,
    APP_ADMIN: url,
  };
  worker = keyturn.start(['worker', '--task-queue', taskQueue], env);
  let seen = '';
  worker.all.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  for (let tenths = 0; !seen.includes(`worker for task queue "${taskQueue}"`); tenths += 1) {
    if (tenths > 400) throw new Error(`no worker: ${seen}`);
    await sleep(100);
  }
}, 180_000);

afterAll(async () => {
  worker.kill('SIGTERM');
  const { exitCode } = await worker;
  await database.end();
  await keyturn.remove();
  expect(exitCode).toBe(0);
}, 60_000);

const run = (...args: string[]) => keyturn.run(args, env);
const recover = (...more: string[]) => run('recover', ...more, '--operator', 'ana');

test.each([
  [[`${SYSTEM}/KEY`], 'means 2 secrets', 2],
  [[`${SYSTEM}/production/TOKEN`], 'only an encryption key is recovered from', 2],
  [[REF, '--from', 'safe/nowhere.age', '--wait'], 'there is no file', 1],
  [[REF, '--from', 'app/.env', '--wait'], 'does not lie in a folder from which a recovery may read', 1],
])('%j is refused', async (args, message, code) => {
  const { exitCode, stderr } = await recover(...args);
  expect(stderr).toContain(message);
  expect(exitCode).toBe(code);
});

test('asks, moves what is lost, waits until it is entered again, and shows no value', async () => {
  const waiting = await recover(REF, '--wait', '--stop-at-gate');
  expect(waiting.exitCode, waiting.all).toBe(4);
  expect(waiting.stdout).toContain(`started rotate:${REF} (recoverLostKey, run `);
  expect(waiting.all).toContain('id=2 (platform=p2)');
  expect((await recover(REF)).stderr).toContain('is already running');
  expect((await run('approve', REF, '--as', 'ana')).exitCode).toBe(1);
  expect((await run('approve', REF, '--as', 'ben', '--gate', 'recover')).exitCode).toBe(0);

  const shown = async (text: string): Promise<string> => {
    for (let tenths = 0; tenths < 300; tenths += 1) {
      const { stdout } = await run('status', REF);
      if (stdout.includes(text)) return stdout;
    }
    throw new Error(`never shown: ${text}`);
  };
  expect(await shown('go on without the rest')).toContain('☐ public.credentials: id=2 (platform=p2)');
  const { rows: kept } = await database.query('SELECT id, platform FROM credentials');
  expect(kept).toEqual([{ id: 1, platform: 'p1' }]);
  expect((await run('approve', REF, '--as', 'ben', '--gate', 'reentry')).exitCode).toBe(0);
  let log = await run('log');
  for (let looks = 0; looks < 60 && !log.stdout.includes('recover lost key'); looks += 1) log = await run('log');
  expect(log.stdout).toContain('recover lost key');
  expect(log.stdout).toContain('enter again: public.credentials: id=2 (platform=p2)');
  expect(waiting.all + log.all).not.toContain(inUse);
  const again = await recover(REF, '--wait');
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toContain('nothing is lost');
}, 240_000);
