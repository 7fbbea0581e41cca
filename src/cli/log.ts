/** `keyturn log`: the ledger, as the table that the runbooks keep by hand: Date | Secret | Operator | Method | Notes. */
import { KeyturnError } from '../domain/errors.js';
import { NAME_PATTERN, parseSelector } from '../domain/refs.js';
import { redact } from '../domain/secret-value.js';
import type { Ledger, LedgerFilter, LedgerRow } from '../ledger/ledger.js';
import { CSV_HEAD, csvLines, LOG_COLUMNS, logRow } from '../ledger/format.js';
import type { Console } from './console.js';
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
  if (options.head !== undefined && !/^[0-9a-f]{64}$/.test(options.head)) {
    throw new KeyturnError('bad-usage', '--head must be 64 hexadecimal digits, as log --verify prints it', {
      hint: 'give the whole of it',
    });
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
  const pages = ledger.pages(filter)[Symbol.asyncIterator]();
  const first = await pages.next();
  // A secret that has left the inventory keeps its rows; a name that has neither is a typing error.
  if (first.done && refText !== undefined) {
    if (NAME_PATTERN.test(refText)) await assertKnownSystem(context, refText);
    else await assertKnownSecret(context, parseSelector(refText));
  }
  const print = csv ? csvPrinter(console) : console.json ? jsonPrinter(console) : tablePrinter(console);
  if (first.done && !csv && !console.json) console.say('the ledger has no such rows yet');
  print.begin();
  for (let page = first; !page.done; page = await pages.next()) print.rows(page.value);
  print.end();
  return EXIT.done;
}

/** Page by page: a ledger of years has more rows, with all their evidence, than fit into memory. */
interface Printer {
  begin(): void;
  rows(page: readonly LedgerRow[]): void;
  end(): void;
}

function csvPrinter(console: Console): Printer {
  return {
    begin: () => console.raw(CSV_HEAD),
    rows: (page) => console.raw(csvLines(page)),
    end: () => undefined,
  };
}

function tablePrinter(console: Console): Printer {
  let begun = false;
  return {
    begin: () => undefined,
    rows: (page) => {
      if (!begun) console.say(LOG_COLUMNS.join(' | '));
      begun = true;
      for (const row of page) console.say(logRow(row).join(' | '));
    },
    end: () => undefined,
  };
}

/** One document all the same. */
function jsonPrinter(console: Console): Printer {
  let separator = '';
  return {
    begin: () => console.raw('{ "rows": ['),
    rows: (page) => {
      for (const row of page) {
        console.raw(`${separator}${redact(JSON.stringify(row, null, 2))}`);
        separator = ',';
      }
    },
    end: () => console.raw('] }'),
  };
}

/** @throws KeyturnError `ledger-altered` naming the first row that does not fit, or the noted head that is gone. */
async function verify({ console }: Context, ledger: Ledger, head: string | undefined): Promise<ExitCode> {
  const onProgress = (rows: number): void => console.transient(`${rows} rows fit so far`);
  const result = await ledger.verify({ onProgress, ...(head === undefined ? {} : { expectHead: head }) });
  console.settle();
  if (!result.intact) {
    if (result.headMissing) throw headMissing(head ?? '');
    throw new KeyturnError('ledger-altered', `the ledger is altered: row ${result.sequence}: ${result.reason}`, {
      hint: `rows before ${result.sequence} are as they were written; compare the rest with a backup`,
    });
  }
  const since = result.rowsSinceHead;
  console.document(result);
  if (console.json) return EXIT.done;
  console.say(`intact: ${result.rows} rows, each fits the one before it`);
  if (since !== null) console.say(`the noted head is in place, ${since} rows were added after it`);
  if (result.head !== null) console.say(`head: ${result.head}`);
  return EXIT.done;
}

/** A chain that was cut off at the end still fits; only a head that was noted elsewhere shows it. */
function headMissing(head: string): KeyturnError {
  return new KeyturnError('ledger-altered', `the ledger is altered: no row has the noted head ${head}`, {
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
