/** Backups stand in the ledger, and no date is counted from them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { logRow } from '../../src/ledger/format.js';
import type { LedgerEntry } from '../../src/ledger/ledger.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { freshLedger } from '../support/ledgers.js';

let ledger: PostgresLedger;
beforeAll(async () => {
  ledger = new PostgresLedger((await freshLedger('backup_rows')).url);
});
afterAll(() => ledger.close());

const entry = (changes: Partial<LedgerEntry>): LedgerEntry => ({
  requestId: 'rotation-1',
  system: 'arena',
  environment: 'production',
  secret: 'KEY',
  kind: 'encryption',
  operator: 'ana@example.test',
  method: 're-encrypt (atomic)',
  reason: 'routine',
  outcome: 'completed',
  proof: null,
  startedAt: '2026-11-01T00:00:00.000Z',
  finishedAt: '2026-11-01T00:05:00.000Z',
  nextDueAt: '2027-01-30T00:05:00.000Z',
  notes: '',
  evidence: [],
  ...changes,
});
const backup = { kind: 'backup', method: 'backup (age)', nextDueAt: null };

test('a backup under the name of its secret is not the newest rotation of it, nor the first', async () => {
  await ledger.append(entry({ ...backup, requestId: 'backup-0', secret: 'NEVER_ROTATED' }));
  await ledger.append(entry({}));
  await ledger.append(entry({ ...backup, requestId: 'backup-1', finishedAt: '2026-11-20T00:00:00.000Z' }));
  expect((await ledger.latest()).map(({ requestId, nextDueAt }) => [requestId, nextDueAt])).toEqual([
    ['rotation-1', '2027-01-30T00:05:00.000Z'],
  ]);
});

test('it is listed like any other row, with no next date, and the chain holds', async () => {
  const rows = await ledger.list({ system: 'arena', secret: 'KEY' });
  expect(rows.map(logRow).map(([, , , method, notes]) => [method, notes])).toEqual([
    ['re-encrypt (atomic)', 'next due 2027-01-30; request rotation-1'],
    ['backup (age)', 'request backup-1'],
  ]);
  expect((await ledger.verify()).intact).toBe(true);
});
