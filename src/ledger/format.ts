/** The ledger for people and spreadsheets. The five columns are the ones of document 003. */
import { formatRef } from '../domain/refs.js';
import type { LedgerRow } from './ledger.js';

export const LOG_COLUMNS = ['Date', 'Secret', 'Operator', 'Method', 'Notes'] as const;

const CSV_COLUMNS = [
  ...LOG_COLUMNS,
  'Outcome',
  'Proof',
  'Reason',
  'Request id',
  'Next due',
  'Sequence',
  'Hash',
] as const;

/** Cells for LOG_COLUMNS: one line each, nothing in them that a terminal obeys or that looks like a column's end. */
export function logRow(row: LedgerRow): string[] {
  const outcome = row.outcome === 'completed' ? [] : [row.outcome];
  const proof = row.proof === null ? [] : [`old value ${row.proof}`];
  const reason = row.reason === 'routine' ? [] : [`reason: ${row.reason}`];
  const due = row.nextDueAt === null ? [] : [`next due ${row.nextDueAt.slice(0, 10)}`];
  const notes = [
    ...outcome,
    ...proof,
    ...reason,
    ...approvalsIn(row),
    ...(row.notes ? [row.notes] : []),
    ...due,
    `request ${row.requestId}`,
  ].join('; ');
  const date = `${row.finishedAt.slice(0, 16).replace('T', ' ')} UTC`;
  return [date, formatRef(row), row.operator, row.method, notes].map((cell) => oneLine(cell).replaceAll('|', '¦'));
}

/**
 * RFC 4180: CRLF, a header, quotes where needed. Cells that a spreadsheet would take for a formula get an apostrophe in front
 * (OWASP, "CSV injection"): operators and notes are typed by people.
 */
export function csvLines(rows: readonly LedgerRow[]): string {
  const lines = rows.map((row) => [
    row.finishedAt,
    formatRef(row),
    row.operator,
    row.method,
    row.notes,
    row.outcome,
    row.proof ?? '',
    row.reason,
    row.requestId,
    row.nextDueAt ?? '',
    String(row.sequence),
    row.hash,
  ]);
  return lines.map(csvLine).join('');
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

export const CSV_HEAD = csvLine(CSV_COLUMNS);

/** Who approved is what an auditor looks for first. The notes say it, but of an earlier run that was settled: there the evidence does. */
function approvalsIn({ evidence, notes }: LedgerRow): string[] {
  const said = evidence.map((step) => step.evidence?.summary ?? '');
  return [...new Set(said.filter((summary) => summary.startsWith('approved by ') && !notes.includes(summary)))];
}

function csvCell(text: string): string {
  const harmless = /^\s*[=+\-@\t\r\n＝＋－＠]/u.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function oneLine(text: string): string {
  // Control and format characters: escape sequences, line breaks, text that runs backwards.
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
