/**
 * What makes the ledger a chain: each row's hash covers all its fields and the hash of the row before.
 *
 * `hash` = lower-case hex SHA-256 over the UTF-8 of the canonical JSON (RFC 8785, domain/canonical-json.ts) of
 * `{ format: 1, sequence, requestId, system, environment, secret, kind, operator, method, reason, outcome, proof,
 * startedAt, finishedAt, nextDueAt, notes, evidence, recordedAt, previousHash }`. Times are ISO 8601 in UTC with milliseconds
 * (`2026-11-21T09:30:00.000Z`); `proof` and `nextDueAt` may be null. The first row's `previousHash` is GENESIS. Anybody can recompute it.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../domain/canonical-json.js';
import type { LedgerEntry, LedgerRow } from './ledger.js';

export const GENESIS = '0'.repeat(64);

/** The set of fields above. Another set needs another number, and a column that says which rows have it (default: 1). */
const FORMAT = 1;

export function rowHash(row: Omit<LedgerRow, 'hash'>): string {
  const { sequence, recordedAt, previousHash } = row;
  const content = { format: FORMAT, sequence, recordedAt, previousHash, ...entryFields(row) };
  return createHash('sha256').update(canonicalJson(content), 'utf8').digest('hex');
}

/** Whether two entries say the same. */
export function sameEntry(a: LedgerEntry, b: LedgerEntry): boolean {
  return canonicalJson(entryFields(a)) === canonicalJson(entryFields(b));
}

function entryFields(entry: LedgerEntry): LedgerEntry {
  return {
    requestId: entry.requestId,
    system: entry.system,
    environment: entry.environment,
    secret: entry.secret,
    kind: entry.kind,
    operator: entry.operator,
    method: entry.method,
    reason: entry.reason,
    outcome: entry.outcome,
    proof: entry.proof,
    startedAt: entry.startedAt,
    finishedAt: entry.finishedAt,
    nextDueAt: entry.nextDueAt,
    notes: entry.notes,
    evidence: entry.evidence,
  };
}
