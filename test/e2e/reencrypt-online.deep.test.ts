/**
 * A large table re-encrypted beside an application at work: eight writers, one of which keeps the old key long after the deploys.
 * `KEYTURN_ROWS=1000000` takes a million rows; a usual run takes fewer, which go the same way.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { afterwards } from '../support/afterwards.js';
import { makeHostile } from '../support/hostile-database.js';
import { freshDatabase, freshRoleName } from '../support/servers.js';
import { freshKey, opened, sealed } from '../workflows/encryption/support/fernet.js';
import { KeyWriters } from './support/key-writers.js';
import { openStage, type Stage } from './support/stage.js';
import { swapsOn } from './support/swaps.js';

const ROWS = Number(process.env['KEYTURN_ROWS'] ?? 20_000);
const PATIENCE_MS = 1_800_000;
const REF = 'vault/production/KEY';
const PAGE = 10_000;
/** Of all events of a run, so that a table of any size fits a history. */
const MOST_EVENTS = 2_000;
const MOST_MEGABYTES = 300;

test(`${ROWS} rows beside eight writers: no write is lost, no request fails`, { timeout: PATIENCE_MS }, async () => {
  const { url } = await freshDatabase('reencrypt_online');
  await makeHostile(url, freshRoleName('reencrypt_online'));
  const workspace = await temporaryDirectory('reencrypt-online');
  afterwards(() => workspace.remove());
  const directory = join(workspace.path, 'vault');
  const envFile = join(directory, '.env');
  const old = freshKey();
  await mkdir(directory);
  await writeFile(envFile, `KEY=${old}\n`, { mode: 0o600 });
  await fill(url, old);
  const writers = new KeyWriters(envFile, url, ROWS);
  await writers.start();
  await writeFile(join(directory, 'system.yaml'), JSON.stringify(inventoryOf(writers.argv)));
  const variables = { VAULT_ADMIN: url };
  const stage = await openStage('reencrypt-online', [{ variables } as unknown as ExampleSystem], {
    inventory: directory,
  });
  const worker = await stage.startWorker();

  const started = await stage.keyturn('rotate', REF, '--operator', 'ana@example.test');
  expect(started.exitCode, started.stderr).toBe(0);
  const { runOf, approve } = swapsOn(stage);
  await stage.untilDoing(runOf(REF), 'Re-encrypt every row', 'reencryptRows');
  const [behind] = await counted(url, old);
  writers.wakeStale();
  await approve(runOf(REF), 'retire');
  await runOf(REF).result();
  await writers.stop();

  expect(behind).toBeGreaterThan(0);
  expect(writers.failures).toEqual([]);
  expect(writers.served).toBeGreaterThan(100);
  expect(writers.deploys).toBe(4);
  expect(await wrongRows(url, envFile, writers.written)).toEqual([]);
  expect((await counted(url, old))[0]).toBe(0);
  const { events } = await runOf(REF).fetchHistory();
  expect(events?.length).toBeLessThan(MOST_EVENTS);
  const megabytes = await peakOf(worker.pid);
  console.log(
    `${ROWS} rows: ${events?.length ?? 0} events, worker at most ${megabytes} MB, ${writers.served} requests`,
  );
  expect(megabytes).toBeLessThan(MOST_MEGABYTES);
  expect(await countsOf(stage)).toMatch(/the last: [\d,]+ read: [\d,]+ already new$/);
});

async function fill(url: string, key: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query(
      'CREATE TABLE credentials (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text NOT NULL)',
    );
    for (let first = 1; first <= ROWS; first += PAGE) {
      const count = Math.min(PAGE, ROWS - first + 1);
      const values = Array.from({ length: count }, (_, index) => sealed(`credential ${first + index}`, key));
      await client.query('INSERT INTO credentials (value) SELECT unnest($1::text[])', [values]);
    }
    await client.query('VACUUM ANALYZE credentials');
  });
}

/** Rows that read under this key, of all. */
async function counted(url: string, key: string): Promise<[number, number]> {
  let [under, all] = [0, 0];
  await eachRow(url, (_, value) => {
    all += 1;
    if (opened(value, key) !== null) under += 1;
  });
  return [under, all];
}

async function wrongRows(url: string, envFile: string, written: ReadonlyMap<number, string>): Promise<string[]> {
  const key = /^KEY=(.*)$/m.exec(await readFile(envFile, 'utf8'))?.[1] ?? '';
  const wrong: string[] = [];
  const missing = new Set(written.keys());
  await eachRow(url, (id, value) => {
    missing.delete(id);
    const said = opened(value, key);
    if (said !== (written.get(id) ?? `credential ${id}`)) wrong.push(`${id}: ${said ?? 'not under the new key'}`);
  });
  return [...wrong, ...[...missing].map((id) => `${id}: is not there`)].slice(0, 20);
}

async function eachRow(url: string, look: (id: number, value: string) => void): Promise<void> {
  await withClient(url, async (client) => {
    for (let after = 0, more = true; more;) {
      const { rows } = await client.query<{ id: string; value: string }>(
        `SELECT id, value FROM credentials WHERE id > $1 ORDER BY id LIMIT ${PAGE}`,
        [after],
      );
      for (const { id, value } of rows) look(Number(id), value);
      more = rows.length > 0;
      after = Number(rows.at(-1)?.id ?? after);
    }
  });
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The most memory that the process ever had, MB. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024);
}

async function countsOf(stage: Stage): Promise<string> {
  const { steps } = await stage.until(swapsOn(stage).runOf(REF), () => true);
  return steps.find(({ name }) => name === 'Re-encrypt every row')?.evidence?.summary ?? '';
}

function inventoryOf(argv: readonly string[]): unknown {
  return {
    system: 'vault',
    stores: { env: { type: 'dotenv', file: '.env' } },
    databases: { app: { url: { env: 'VAULT_ADMIN' } } },
    services: { app: { deploy: { type: 'command', argv }, health: ['well'] } },
    checks: { well: { type: 'command', argv: ['true'], passes: 1 } },
    environments: [{ name: 'production', tier: 'production' }],
    secrets: {
      KEY: {
        kind: 'encryption',
        store: 'env',
        generator: 'fernet',
        services: ['app'],
        encryption: {
          database: 'app',
          mode: 'online',
          key: 'fernet',
          bothKeys: { style: 'previous', variable: 'KEY_PREVIOUS' },
          columns: [{ table: 'credentials', column: 'value' }],
        },
      },
    },
  };
}
