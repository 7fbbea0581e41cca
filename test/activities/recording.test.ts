import { describe, expect, it } from 'vitest';
import { recordRotation } from '../../src/activities/recording.js';
import type { RecordedReport } from '../../src/activities/rotation-activities.js';
import { KeyturnError } from '../../src/domain/errors.js';
import type { LedgerEntry, LedgerRow } from '../../src/ledger/ledger.js';

const REPORT: RecordedReport = {
  ref: 'shop/production/SECRET',
  outcome: 'completed',
  method: 'replace',
  operator: 'ana@example.test',
  requestId: 'dead-run',
  startedAt: '2026-11-21T10:00:00.000Z',
  finishedAt: '2026-11-21T11:00:00.000Z',
  steps: [],
  refusals: ['approve by mallory refused'],
  proof: { proven: false, because: 'the inventory declares no proof' },
  ledgerSequence: null,
  nextDueAt: null,
  todo: [],
  kind: 'session',
  reason: 'routine',
  cadence: '90d',
  notes: 'settled',
};

/** What the contract says of `append`: the first row for the same content, `ledger-conflict` for other content. */
class MemoryLedger {
  readonly rows: LedgerRow[] = [];

  append(entry: LedgerEntry): Promise<LedgerRow> {
    const known = this.rows.find((row) => row.requestId === entry.requestId);
    if (known && known.notes !== entry.notes) throw new KeyturnError('ledger-conflict', 'on record with other content');
    if (known) return Promise.resolve(known);
    const sequence = this.rows.length + 1;
    const row = { ...entry, sequence, recordedAt: entry.finishedAt, previousHash: '', hash: String(sequence) };
    this.rows.push(row);
    return Promise.resolve(row);
  }
}

describe('recording', () => {
  it('writes one row a request, with the next date and what was refused', async () => {
    const ledger = new MemoryLedger();
    const due = '2027-02-19T11:00:00.000Z';
    expect(await recordRotation(REPORT, ledger)).toEqual({ sequence: 1, nextDueAt: due });
    expect(await recordRotation(REPORT, ledger)).toEqual({ sequence: 1, nextDueAt: due });
    expect(ledger.rows).toMatchObject([
      { requestId: 'dead-run', nextDueAt: due, notes: 'settled; refused: approve by mallory refused' },
    ]);
  });

  it('a run that has a row already gets a second one under the other id, once', async () => {
    const ledger = new MemoryLedger();
    await recordRotation({ ...REPORT, outcome: 'stopped', notes: 'the proof failed' }, ledger);
    const settled = { ...REPORT, orElse: 'dead-run, settled by run-2' };
    expect((await recordRotation(settled, ledger)).sequence).toBe(2);
    expect((await recordRotation(settled, ledger)).sequence).toBe(2);
    expect(ledger.rows.map((row) => row.requestId)).toEqual(['dead-run', 'dead-run, settled by run-2']);
  });

  it('without another id, other content is refused', async () => {
    const ledger = new MemoryLedger();
    await recordRotation(REPORT, ledger);
    await expect(recordRotation({ ...REPORT, notes: 'other' }, ledger)).rejects.toThrow('other content');
  });
});
