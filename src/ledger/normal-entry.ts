/** An entry in the one form that comes back from PostgreSQL as it went in; otherwise its hash could not be recomputed. */
import { KeyturnError } from '../domain/errors.js';
import type { LedgerEntry } from './ledger.js';

/** @throws KeyturnError `bad-entry` naming the field: an unreadable time, or data that JSON cannot hold. */
export function normalEntry(entry: LedgerEntry): LedgerEntry {
  return {
    requestId: clean(entry.requestId),
    system: clean(entry.system),
    environment: clean(entry.environment),
    secret: clean(entry.secret),
    kind: clean(entry.kind),
    operator: clean(entry.operator),
    method: clean(entry.method),
    reason: clean(entry.reason),
    outcome: entry.outcome,
    proof: entry.proof === null ? null : clean(entry.proof),
    startedAt: time('startedAt', entry.startedAt),
    finishedAt: time('finishedAt', entry.finishedAt),
    nextDueAt: entry.nextDueAt === null ? null : time('nextDueAt', entry.nextDueAt),
    notes: clean(entry.notes),
    // Through JSON: drops what is undefined, as the column does.
    evidence: cleanAll(JSON.parse(JSON.stringify(entry.evidence))) as LedgerEntry['evidence'],
  };
}

/** PostgreSQL has no NUL in texts and no half surrogate pairs; output of failing commands has both now and then. */
function clean(text: string): string {
  return text.replaceAll(/\u0000|\p{Surrogate}/gu, '\uFFFD');
}

function cleanAll(data: unknown): unknown {
  if (typeof data === 'string') return clean(data);
  if (Array.isArray(data)) return data.map(cleanAll);
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [clean(key), cleanAll(value)]));
}

function time(field: string, text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 2000 || date.getUTCFullYear() > 9999) {
    throw new KeyturnError('bad-entry', `the ledger cannot record ${field}: it is not a time`, {
      hint: 'ISO 8601, UTC',
    });
  }
  return date.toISOString();
}
