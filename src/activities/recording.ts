/** Writing a run into the ledger. Idempotent by request id. */
import { KeyturnError } from '../domain/errors.js';
import { proofInWords } from '../domain/proof.js';
import { parseSelector } from '../domain/refs.js';
import { nextDue } from '../ledger/due.js';
import type { Ledger, LedgerEntry, LedgerRow } from '../ledger/ledger.js';
import type { RecordedReport } from './rotation-activities.js';

export async function recordRotation(
  report: RecordedReport,
  ledger: Pick<Ledger, 'append'>,
): Promise<{ sequence: number; nextDueAt: string | null }> {
  const { system, environment = '', secret } = parseSelector(report.ref);
  const nextDueAt =
    report.outcome === 'completed' && report.cadence ? nextDue(report.finishedAt, report.cadence) : null;
  const refused = report.refusals.map((line) => `refused: ${line}`);
  const entry: LedgerEntry = {
    requestId: report.requestId,
    system,
    environment,
    secret,
    kind: report.kind,
    operator: report.operator,
    method: report.method,
    reason: report.reason,
    outcome: report.outcome,
    proof: report.proof && proofInWords(report.proof),
    startedAt: report.startedAt,
    finishedAt: report.finishedAt,
    nextDueAt,
    notes: [report.notes, ...refused].filter((part) => part !== '').join('; '),
    evidence: report.steps,
  };
  const row = await appendUnder(entry, report.orElse, ledger);
  return { sequence: row.sequence, nextDueAt: row.nextDueAt };
}

/** Append refuses other content under a known id; so a repeated call finds the row it wrote, under whichever of the two ids. */
async function appendUnder(
  entry: LedgerEntry,
  orElse: string | undefined,
  ledger: Pick<Ledger, 'append'>,
): Promise<LedgerRow> {
  try {
    return await ledger.append(entry);
  } catch (error) {
    if (orElse === undefined || !(error instanceof KeyturnError) || error.code !== 'ledger-conflict') throw error;
    return await ledger.append({ ...entry, requestId: orElse });
  }
}
