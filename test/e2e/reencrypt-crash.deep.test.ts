/**
 * `kill -9` of the worker at random moments of many rotations at once, in both modes: every row keeps its plaintext, as Python's
 * `cryptography` reads it, and the counts balance. `KEYTURN_KILLS` says how many runs are to be hit, `KEYTURN_SEED` when.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import pg from 'pg';
import { expect, test } from 'vitest';
import { pythonWithCryptography } from '../../src/bench/reencrypt-python.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import type { RotationReport } from '../../src/domain/report.js';
import { PREFIX } from '../../src/databases/access/working-login-end.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { fernetToken } from '../ciphers/support.js';
import { afterwards } from '../support/afterwards.js';
import { randomFrom } from '../support/random.js';
import { makeHostile } from '../support/hostile-database.js';
import { freshDatabase, freshRoleName } from '../support/servers.js';
import { freshKey } from '../workflows/encryption/support/fernet.js';
import { openStage, type Stage } from './support/stage.js';

const ROWS = 10_000;
const SYSTEMS = 10;
const KILLS = Number(process.env['KEYTURN_KILLS'] ?? 20);
const SEED = Number(process.env['KEYTURN_SEED'] ?? Math.floor(Math.random() * 1e9));
/** A lost worker is noticed after 15 s; what comes after that is what the next kill should hit. */
const NOTICED_MS = 16_000;
const PATIENCE_MS = 3_000_000;

test(`${KILLS} runs hit by kill -9: no row is lost (seed ${SEED})`, { timeout: PATIENCE_MS }, async () => {
  const random = randomFrom(SEED);
  const { directory, database, names, url } = await systemsOf();
  // Its server drops the database, if it comes to that first.
  database.on('error', () => undefined);
  const variables = { VAULT_ADMIN: url };
  const stage = await openStage('reencrypt-crash', [{ variables } as unknown as ExampleSystem], {
    inventory: directory,
  });
  let worker = await stage.startWorker();
  const reports: RotationReport[] = [];
  let hit = 0;
  while (hit < KILLS) {
    await startAll(stage, names);
    await sleep(500 + random() * 5_000);
    hit += await running(stage, names);
    await worker.kill9();
    worker = await stage.startWorker();
    await sleep(NOTICED_MS);
  }
  for (const name of names)
    reports.push((await stage.client.workflow.getHandle(idOf(name)).result()) as RotationReport);

  expect(reports.map(({ outcome, todo }) => [outcome, ...todo])).toEqual(names.map(() => ['completed']));
  for (const { steps } of reports) {
    const counts = steps.find(({ name }) => name === 'Re-encrypt every row')?.evidence?.summary ?? '';
    expect(counts).toMatch(/10,000 read: 10,000 (?:re-encrypted|already new)/);
  }
  const python = await pythonWithCryptography();
  for (const name of names) {
    const key = /^KEY=(.*)$/m.exec(await readFile(join(directory, name, '.env'), 'utf8'))?.[1];
    const { rows } = await database.query<{ value: string }>(`SELECT value FROM ${name} ORDER BY id`);
    const input = JSON.stringify({ key, tokens: rows.map(({ value }) => value) });
    const { stdout } = await execa(python, ['-I', '-c', DECRYPT], { input, maxBuffer: 100_000_000 });
    const wrong = (JSON.parse(stdout) as [string, number][]).findIndex(
      ([plaintext, at], index) =>
        plaintext !== `credential ${index + 1} of ${name}` || at !== 1_600_000_000 + index + 1,
    );
    expect([name, rows.length, wrong]).toEqual([name, ROWS, -1]);
  }
  // Of these runs: another file's may be at work on the same server.
  const { rows: logins } = await database.query(
    `SELECT shobj_description(oid, 'pg_authid') AS left FROM pg_roles
      WHERE starts_with(rolname, '${PREFIX}') AND shobj_description(oid, 'pg_authid') LIKE '% of rotate:vault%'`,
  );
  expect(logins, 'each attempt drops what a killed one before it has made').toEqual([]);
  await database.end();
});

const DECRYPT = `
import json, sys
from cryptography.fernet import Fernet
ask = json.load(sys.stdin)
f = Fernet(ask["key"])
print(json.dumps([[f.decrypt(t.encode()).decode(), f.extract_timestamp(t.encode())] for t in ask["tokens"]]))
`;

const idOf = (name: string): string => `rotate:${name}/production/KEY`;

async function running({ client }: Stage, names: readonly string[]): Promise<number> {
  const states = await Promise.all(names.map((name) => client.workflow.getHandle(idOf(name)).describe()));
  return states.filter(({ status }) => status.name === 'RUNNING').length;
}

/** Those that do not run already. */
async function startAll({ client }: Stage, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const input = { system: name, environment: 'production', secret: 'KEY', operator: 'ana@example.test' };
    const options = {
      taskQueue: 'keyturn',
      workflowId: idOf(name),
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [input],
    } as const;
    await client.workflow.start('rotateEncryptionKey', options);
  }
}

/** One database, and for each system a table, an .env and an inventory; every other one is atomic. */
async function systemsOf(): Promise<{ directory: string; database: pg.Client; names: string[]; url: string }> {
  const workspace = await temporaryDirectory('reencrypt-crash');
  const directory = join(workspace.path, 'systems');
  const { url } = await freshDatabase('reencrypt_crash');
  await makeHostile(url, freshRoleName('reencrypt_crash'));
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  afterwards(() => workspace.remove());
  const names = Array.from({ length: SYSTEMS }, (_, index) => `vault${index}`);
  for (const [index, name] of names.entries()) {
    const key = freshKey();
    await mkdir(join(directory, name), { recursive: true });
    await writeFile(join(directory, name, '.env'), `KEY=${key}\n`, { mode: 0o600 });
    await writeFile(join(directory, name, 'system.yaml'), JSON.stringify(inventoryOf(name, index % 2 === 0)));
    const values = Array.from({ length: ROWS }, (_, row) =>
      fernetToken(Buffer.from(key, 'base64url'), `credential ${row + 1} of ${name}`, {
        timestamp: BigInt(1_600_000_000 + row + 1),
      }).toString(),
    );
    await database.query(
      `CREATE TABLE ${name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text NOT NULL)`,
    );
    await database.query(`INSERT INTO ${name} (value) SELECT unnest($1::text[])`, [values]);
  }
  return { directory, database, names, url };
}

function inventoryOf(name: string, online: boolean): unknown {
  const nothing = { type: 'command', argv: ['true'], stop: ['true'] };
  return {
    system: name,
    stores: { env: { type: 'dotenv', file: '.env' } },
    databases: { app: { url: { env: 'VAULT_ADMIN' } } },
    services: { app: { deploy: nothing, health: ['well'] } },
    checks: { well: { type: 'command', argv: ['true'], passes: 1 } },
    environments: [{ name: 'production', tier: 'production', approval: { gates: [] } }],
    secrets: {
      KEY: {
        kind: 'encryption',
        store: 'env',
        generator: 'fernet',
        services: ['app'],
        encryption: {
          database: 'app',
          mode: online ? 'online' : 'atomic',
          key: 'fernet',
          columns: [{ table: name, column: 'value' }],
          // Slow enough to be hit between two pages.
          ...(online
            ? { bothKeys: { style: 'previous', variable: 'KEY_PREVIOUS' }, throttle: { rest: 0.9 }, parallel: 2 }
            : {}),
        },
      },
    },
  };
}
