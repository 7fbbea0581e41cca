/** The ledger is made by its owner: what a worker, and whoever migrates, is told on the way. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { placeForPostgres } from '../../src/cli/embedded-places.js';
import type { Shutdown } from '../../src/embedded/shutdown.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { freshLedger, type FreshLedger } from '../support/ledgers.js';
import { freshTaskQueue } from '../support/servers.js';
import { writeShop } from './support/inventory.js';
import { installKeyturn, type Keyturn } from './support/keyturn.js';
import { said } from './support/said.js';

let keyturn: Keyturn;
let ledger: FreshLedger;
let env: Record<string, string>;
beforeAll(async () => {
  keyturn = await installKeyturn();
  await writeShop(keyturn, 'systems');
  ledger = await freshLedger('cli_migrate', { migrated: false });
  env = {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    KEYTURN_DATABASE_URL: ledger.url,
    KEYTURN_FINGERPRINT_KEY: 'a fingerprint key of more than 32 characters',
    KEYTURN_TASK_QUEUE: freshTaskQueue('cli-migrate'),
  };
}, 120_000);
afterAll(() => keyturn.remove());

const OWNER = (): Record<string, string> => ({ KEYTURN_LEDGER_OWNER_URL: ledger.ownerUrl });

describe('keyturn ledger migrate', () => {
  test('a worker whose ledger has no tables does not start, and says what to type', async () => {
    const { exitCode, stderr } = await keyturn.run(['worker'], env);
    expect(exitCode).toBe(5);
    expect(stderr).toContain('error: the ledger has no tables yet\n');
    expect(stderr).toMatch(
      new RegExp(`hint: as the owner of its tables, .*keyturn ledger migrate --grant-to ${ledger.role}$`, 'm'),
    );
  });

  test('asks for the owner and for the worker where nobody names them', async () => {
    const noOwner = await keyturn.run(['ledger', 'migrate'], env);
    expect(noOwner).toMatchObject({ exitCode: 2, stdout: '' });
    expect(noOwner.stderr).toContain('error: KEYTURN_LEDGER_OWNER_URL is not set\n');
    const noWorker = await keyturn.run(['ledger', 'migrate'], OWNER());
    expect(noWorker).toMatchObject({ exitCode: 2, stdout: '' });
    expect(noWorker.stderr).toContain('error: which role is the worker?\n');
  });

  test('makes the tables, grants the worker, does so twice, and the worker starts without a warning', async () => {
    const first = await keyturn.run(['ledger', 'migrate'], { ...env, ...OWNER() });
    expect(first).toMatchObject({
      exitCode: 0,
      stdout: `the ledger's tables are up to date; "${ledger.role}" may add rows and read them, nothing else`,
      stderr: '',
    });
    const again = await keyturn.run(['ledger', 'migrate', '--grant-to', ledger.role, '--json'], OWNER());
    expect(JSON.parse(again.stdout)).toEqual({ grantedTo: ledger.role });
    const own = new PostgresLedger(ledger.url);
    expect(await own.inspect().finally(() => own.close())).toEqual([]);
    const worker = keyturn.start(['worker'], env);
    await said(worker, 'worker for task queue', 90_000);
    worker.kill('SIGTERM');
    const { stdout, stderr } = await worker;
    expect(stdout + stderr).not.toContain('no worker needs');
  }, 150_000);

  test('a worker that may do more says so when it starts', async () => {
    const worker = keyturn.start(['worker'], { ...env, ...OWNER(), KEYTURN_DATABASE_URL: ledger.ownerUrl });
    await said(worker, 'worker for task queue', 90_000);
    worker.kill('SIGTERM');
    const { stdout, stderr } = await worker;
    expect(stdout + stderr).toContain('is a superuser: give the worker one of its own');
    expect(stdout + stderr).toContain('KEYTURN_LEDGER_OWNER_URL is set: whoever takes over this worker can change');
  }, 150_000);
});

test('keyturn up makes a ledger of your own ready when it is given its owner', async () => {
  const own = await freshLedger('up_configured', { migrated: false });
  const variables = { KEYTURN_DATABASE_URL: own.url, KEYTURN_LEDGER_OWNER_URL: own.ownerUrl };
  const shutdown = { add: () => undefined } as unknown as Shutdown;
  const place = await placeForPostgres({ shutdown, state: null, variables, onProgress: () => undefined }, false);
  expect(place).toEqual({ ledgerUrl: own.url, server: null });
  const worker = new PostgresLedger(own.url);
  expect(await worker.inspect().finally(() => worker.close())).toEqual([]);
});
