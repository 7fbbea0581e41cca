/** `keyturn log`: the ledger, as the table that the runbooks keep by hand: Date | Secret | Operator | Method | Notes. */
import { KeyturnError } from '../domain/errors.js';
import { NAME_PATTERN, parseSelector } from '../domain/refs.js';
import type { Ledger, LedgerFilter } from '../ledger/ledger.js';
import { LOG_COLUMNS, logRow, toCsv } from '../ledger/format.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { assertKnownSecret, assertKnownSystem } from './known-secret.js';
import { withLedger } from './with-ledger.js';

export interface LogOptions {
  readonly csv?: boolean;
  readonly limit?: number;
  readonly verify?: boolean;
  readonly head?: string;
}

export async function log(context: Context, refText: string | undefined, options: LogOptions): Promise<ExitCode> {
  if (options.head !== undefined && !options.verify) {
    throw new KeyturnError('bad-usage', '--head is what --verify compares with', { hint: 'add --verify' });
  }
  if (options.csv && (context.console.json || options.verify)) {
    throw new KeyturnError('bad-usage', '--csv goes with neither --json nor --verify', { hint: 'choose one' });
  }
  const filter = filterOf(refText, options.limit);
  return withLedger(context, (ledger) =>
    options.verify
      ? verify(context, ledger, options.head)
      : list(context, ledger, filter, { csv: options.csv ?? false, refText }),
  );
}

async function list(
  context: Context,
  ledger: Ledger,
  filter: LedgerFilter,
  { csv, refText }: { csv: boolean; refText: string | undefined },
): Promise<ExitCode> {
  const { console } = context;
  const rows = await ledger.list(filter);
  // A secret that has left the inventory keeps its rows; a name that has neither is a typing error.
  if (rows.length === 0 && refText !== undefined) {
    if (NAME_PATTERN.test(refText)) await assertKnownSystem(context, refText);
    else await assertKnownSecret(context, parseSelector(refText));
  }
  if (csv) console.raw(toCsv(rows));
  else if (console.json) console.document({ rows });
  else if (rows.length === 0) console.say('the ledger has no such rows yet');
  else [LOG_COLUMNS, ...rows.map(logRow)].forEach((cells) => console.say(cells.join(' | ')));
  return EXIT.done;
}

/** @throws KeyturnError `ledger-altered` naming the first row that does not fit, or the noted head that is gone. */
async function verify({ console }: Context, ledger: Ledger, head: string | undefined): Promise<ExitCode> {
  const result = await ledger.verify();
  if (!result.intact) {
    throw new KeyturnError('ledger-altered', `the ledger is altered: row ${result.sequence}: ${result.reason}`, {
      hint: `rows before ${result.sequence} are as they were written; compare the rest with a backup`,
    });
  }
  const since = head === undefined ? null : await rowsSince(ledger, head);
  console.document({ ...result, rowsSinceHead: since });
  if (console.json) return EXIT.done;
  console.say(`intact: ${result.rows} rows, each fits the one before it`);
  if (since !== null) console.say(`the noted head is in place, ${since} rows were added after it`);
  if (result.head !== null) console.say(`head: ${result.head}`);
  return EXIT.done;
}

/** A chain that was cut off at the end still fits; only a head that was noted elsewhere shows it. */
async function rowsSince(ledger: Ledger, head: string): Promise<number> {
  const rows = await ledger.list();
  const index = rows.findIndex((row) => row.hash === head.trim().toLowerCase());
  if (index >= 0) return rows.length - 1 - index;
  throw new KeyturnError('ledger-altered', `the ledger is altered: no row has the noted head ${head}`, {
    hint: 'rows were removed from its end or written anew; compare it with a backup',
  });
}

/** @throws KeyturnError `bad-reference`. */
function filterOf(refText: string | undefined, limit: number | undefined): LedgerFilter {
  const newest = limit === undefined ? {} : { limit };
  if (refText === undefined) return newest;
  if (NAME_PATTERN.test(refText)) return { system: refText, ...newest };
  const { system, environment, secret } = parseSelector(refText);
  return { system, secret, ...(environment === undefined ? {} : { environment }), ...newest };
}
