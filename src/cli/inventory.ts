/** `keyturn inventory`: all secrets with kind, place, cadence, last and next date; what is overdue is marked. */
import { KeyturnError } from '../domain/errors.js';
import { formatRef } from '../domain/refs.js';
import { nextDue } from '../ledger/due.js';
import type { LedgerRow } from '../ledger/ledger.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { openInventory, type ListedSecret } from './open-inventory.js';
import { readSettings } from './settings.js';
import { table } from './table.js';
import { withLedger } from './with-ledger.js';

interface Line extends ListedSecret {
  /** ISO 8601; null: no completed rotation is in the ledger. */
  readonly last: string | null;
  /** null: no cadence, or no last rotation to count from. */
  readonly next: string | null;
  /** `due`: after the cadence, before the longest that policy tolerates; then `overdue`. */
  readonly state: 'overdue' | 'due' | 'due later' | 'never recorded' | 'no cadence' | 'unknown';
}

export async function inventory(context: Context): Promise<ExitCode> {
  const { console } = context;
  const opened = await openInventory(await readSettings(context));
  const latest = await latestRows(context);
  const lines = opened.list().map((secret) => dated(secret, latest.rows, Date.now()));
  console.document({ inventory: opened.source, ledger: latest.note ?? 'read', secrets: lines });
  if (console.json) return EXIT.done;
  const head = ['Secret', 'Kind', 'Place', 'Cadence', 'Last', 'Next', ''];
  console.say(
    table(
      head,
      lines.map((line) => cells(line, console.paint.red)),
      console.paint,
    ),
  );
  const overdue = lines.filter((line) => line.state === 'overdue').length;
  if (overdue > 0) console.note(`${overdue} overdue`);
  if (latest.note !== null) console.note(`note: ${latest.note}; last and next dates are not known`);
  return EXIT.done;
}

/** The inventory can be read without the ledger; only the dates are missing then. */
async function latestRows(context: Context): Promise<{ rows: LedgerRow[] | null; note: string | null }> {
  try {
    return { rows: await withLedger(context, (ledger) => ledger.latest()), note: null };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { rows: null, note: error.message };
  }
}

function dated(secret: ListedSecret, rows: readonly LedgerRow[] | null, now: number): Line {
  const { cadence } = secret;
  if (rows === null) return { ...secret, last: null, next: null, state: cadence === null ? 'no cadence' : 'unknown' };
  const row = rows.find((candidate) => formatRef(candidate) === secret.ref);
  const last = row?.finishedAt ?? null;
  if (cadence === null) return { ...secret, last, next: null, state: 'no cadence' };
  if (last === null) return { ...secret, last, next: null, state: 'never recorded' };
  // From today's cadence, not the row's: a policy that was tightened since counts at once.
  const next = nextDue(last, cadence);
  const latest = nextDue(last, secret.latest ?? cadence);
  const state = Date.parse(latest) < now ? 'overdue' : Date.parse(next) < now ? 'due' : 'due later';
  return { ...secret, last, next, state };
}

function cells(line: Line, alarm: (text: string) => string): string[] {
  const day = (date: string | null): string => date?.slice(0, 10) ?? '-';
  const shown = line.state === 'due' || line.state === 'never recorded' ? line.state : '';
  const mark = line.state === 'overdue' ? alarm('overdue') : shown;
  return [line.ref, line.kind, line.place, line.cadence ?? '-', day(line.last), day(line.next), mark];
}
