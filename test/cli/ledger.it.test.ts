import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LedgerEntry } from '../../src/ledger/ledger.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { freshLedger } from '../support/ledgers.js';
import { writeShop } from './support/inventory.js';
import { installKeyturn, type Keyturn } from './support/keyturn.js';

const DAY = 86_400_000;

let keyturn: Keyturn;
let url: string;
let ownerUrl: string;
let head: string;

beforeAll(async () => {
  keyturn = await installKeyturn();
  await writeShop(keyturn, 'systems');
  ({ url, ownerUrl } = await freshLedger('cli_ledger'));
  const ledger = new PostgresLedger(url);
  // 90 days is the cadence: one long overdue, one in time.
  await ledger.append(entry('staging', 200, 'run-1', 'first, "quoted"\nand | piped \u001b[2J'));
  ({ hash: head } = await ledger.append(entry('production', 10, 'run-2', '')));
  await ledger.close();
}, 120_000);
afterAll(() => keyturn.remove());

const run = (...args: string[]) => keyturn.run(args, { KEYTURN_DATABASE_URL: url });

describe('log', () => {
  test('prints the five columns of the runbooks, one row a line, with nothing that a terminal obeys', async () => {
    const { exitCode, stdout, stderr } = await run('log');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [title, first, second, ...more] = stdout.split('\n');
    expect(title).toBe('Date | Secret | Operator | Method | Notes');
    expect(first).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d UTC \| shop\/staging\/SESSION_SECRET \| ana \| replace \| first, /,
    );
    expect(second).toContain('| shop/production/SESSION_SECRET |');
    expect(more).toEqual([]);
    expect(stdout).not.toContain('\u001b');
  });

  test('is filtered by system, by secret, by environment, and cut to the newest', async () => {
    const rows = async (...args: string[]) => {
      const { rows: found } = JSON.parse((await run('log', '--json', ...args)).stdout) as { rows: LedgerEntry[] };
      return found.map(({ requestId }) => requestId);
    };
    expect(await rows('shop')).toEqual(['run-1', 'run-2']);
    expect(await rows('shop/SESSION_SECRET')).toEqual(['run-1', 'run-2']);
    expect(await rows('shop/staging/SESSION_SECRET')).toEqual(['run-1']);
    expect(await rows('--limit', '1')).toEqual(['run-2']);
  });

  test('a name that neither the inventory nor the ledger knows is a typing error', async () => {
    const { exitCode, stderr } = await run('log', 'shp');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error: .*"shp"\nhint: did you mean "shop"\?/);
  });

  test('is CSV on request, and refuses to be CSV and JSON', async () => {
    const { stdout } = await run('log', '--csv', 'shop/staging/SESSION_SECRET');
    expect(stdout).toMatch(/^Date,Secret,Operator,Method,Notes,/);
    expect(stdout).toContain('"first, ""quoted""');
    expect((await run('log', '--csv', '--json')).exitCode).toBe(2);
  });
});

test('inventory shows when each was rotated and is due, and marks what is overdue', async () => {
  const { exitCode, stdout, stderr } = await run('inventory');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^shop\/staging\/SESSION_SECRET .* 90d +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +overdue$/m);
  expect(stdout).toMatch(/^shop\/production\/SESSION_SECRET .* 90d +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d$/m);
  expect(stderr).toBe('1 overdue');
});

describe('log --verify', () => {
  test('says that the chain is intact, and how many rows came after a noted head', async () => {
    const { exitCode, stdout } = await run('log', '--verify', '--head', head);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      `intact: 2 rows, each fits the one before it\nthe noted head is in place, 0 rows were added after it\nhead: ${head}`,
    );
    expect(JSON.parse((await run('log', '--verify', '--json')).stdout)).toEqual({
      intact: true,
      rows: 2,
      head,
      rowsSinceHead: null,
    });
  });

  test('misses a noted head that is not in the ledger, and exits 1', async () => {
    const { exitCode, stderr } = await run('log', '--verify', '--head', 'f'.repeat(64));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: the ledger is altered: no row has the noted head f{64}\nhint: /);
  });

  test('names the first row that was altered, and exits 1', async () => {
    await asAdministrator(async (client) => {
      const found = await client.query<{ name: string }>(
        `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.columns
         WHERE column_name = 'operator' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
      );
      const [table] = found.rows;
      // An administrator can switch off what forbids it; that is what the chain is for.
      await client.query(`ALTER TABLE ${table?.name ?? ''} DISABLE TRIGGER ALL`);
      await client.query(`UPDATE ${table?.name ?? ''} SET operator = 'mallory' WHERE request_id = 'run-2'`);
    });
    const { exitCode, stdout, stderr } = await run('log', '--verify');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^error: the ledger is altered: row 2: /);
  });
});

async function asAdministrator(use: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

function entry(environment: string, daysAgo: number, requestId: string, notes: string): LedgerEntry {
  const finishedAt = new Date(Date.now() - daysAgo * DAY).toISOString();
  return {
    requestId,
    system: 'shop',
    environment,
    secret: 'SESSION_SECRET',
    kind: 'session',
    operator: 'ana',
    method: 'replace',
    reason: 'routine',
    outcome: 'completed',
    proof: null,
    startedAt: finishedAt,
    finishedAt,
    nextDueAt: null,
    notes,
    evidence: [],
  };
}
