/** Ledger entries for tests. */
import type { LedgerEntry } from '../../src/ledger/ledger.js';

export function entry(number: number, changes: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    requestId: `run-${number}`,
    system: 'mediavault',
    environment: 'production',
    secret: 'SESSION_SECRET',
    kind: 'session',
    operator: 'ana@example.test',
    method: 'replace',
    reason: 'routine',
    outcome: 'completed',
    proof: null,
    startedAt: '2026-11-21T09:00:00.000Z',
    finishedAt: '2026-11-21T09:04:05.678Z',
    nextDueAt: '2027-02-19T09:04:05.678Z',
    notes: `rotation ${number}`,
    evidence: [
      {
        name: 'Stage a new value',
        state: 'done',
        startedAt: '2026-11-21T09:00:01.000Z',
        seconds: 0.12,
        evidence: { summary: 'staged', facts: { fingerprint: '3f9c0a1b2c3d', length: 64, first: true, none: null } },
      },
    ],
    ...changes,
  };
}
