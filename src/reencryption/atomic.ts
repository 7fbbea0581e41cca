/**
 * All columns of a key in one transaction, as document 004 asks: services are stopped, every row is re-encrypted and then read again
 * under the new key alone, by another implementation; any failure rolls all of it back. Readers are not held up meanwhile; writers
 * are, until the end.
 */
import type pg from 'pg';
import type { Reader, Reencryptor } from '../ciphers/cipher.js';
import type { Server } from '../databases/server.js';
import { KeyturnError, type Effect } from '../domain/errors.js';
import { addCounts, NO_ROWS, type RowCounts } from '../domain/row-counts.js';
import type { ColumnFacts } from './column-facts.js';
import { countStates } from './count-states.js';
import { WHOLE_TABLE } from './key-range.js';
import { countsOf, unreadablePlaces } from './page-outcome.js';
import { pageStatements } from './page-statements.js';
import { reencryptPages } from './pipeline.js';
import { readPages, type RawPage } from './read-pages.js';
import type { RewrittenPage } from './rewrite-page.js';
import { describeRows, LISTED_ROWS } from './row-keys.js';
import { prepareSession } from './session.js';
import { lockTables } from './table-locks.js';
import { batchOf, writeBatch } from './write-page.js';

export interface AtomicColumn {
  readonly facts: ColumnFacts;
  readonly reencryptor: Reencryptor;
  /** Under the new key: what every row must read by before anything is committed. */
  readonly reader: Reader;
}

export interface AtomicOptions {
  readonly server: Server;
  readonly columns: readonly AtomicColumn[];
  /** Milliseconds to wait for each table. Default: 10 s. */
  readonly lockWait?: number;
  /** Told after each page, of the column at work. */
  readonly onProgress?: (progress: AtomicProgress) => void;
  /** Milliseconds for all of it. Default: 24 h. */
  readonly limit?: number;
}

export interface AtomicProgress {
  readonly column: string;
  readonly counts: RowCounts;
}

export interface AtomicColumnResult {
  readonly name: string;
  readonly counts: RowCounts;
  /** Rows that read under the new key alone, seen by the transaction that wrote them. */
  readonly verified: number;
}

export interface AtomicResult {
  readonly columns: readonly AtomicColumnResult[];
}

const LOCK_WAIT_MS = 10_000;
const LIMIT_MS = 24 * 3_600_000;
/** Of many, as many as a message can show. */
const NAMED_ROWS = 10;

/**
 * Idempotent: if the answer to the commit is lost (`effect: 'unknown'`), a second call finds every row new and changes none.
 * @throws KeyturnError `table-locked` (retryable; says by whom), `unreadable-rows` (says which), `not-written` (a trigger or a rule
 * keeps rows from being written), `not-verified`, and as Server; when the server's signal aborts, its reason. Unless `effect` is
 * `unknown`, everything is as it was before.
 */
export async function reencryptAtomically(options: AtomicOptions): Promise<AtomicResult> {
  const { server, columns, limit = LIMIT_MS, lockWait = LOCK_WAIT_MS } = options;
  let effect: Effect = 'none';
  const where = { limit, effect: () => effect };
  // Pages are read on a connection of their own: nobody can write to the tables, so what is committed is what is there.
  return server.asWorker(async (reader) => {
    await prepareSession(reader);
    return server.asWorker(async (writer) => {
      await prepareSession(writer);
      await writer.query('BEGIN ISOLATION LEVEL READ COMMITTED');
      await lockTables(writer, { server, columns: columns.map(({ facts }) => facts), wait: lockWait });
      const rewritten: { readonly column: AtomicColumn; readonly counts: RowCounts }[] = [];
      for (const column of columns) rewritten.push({ column, counts: await rewrite(options, column, reader, writer) });
      const results: AtomicColumnResult[] = [];
      for (const { column, counts } of rewritten) {
        results.push({ name: column.facts.name, counts, verified: await verify(column, counts, writer) });
      }
      effect = 'unknown';
      await writer.query('COMMIT');
      effect = 'applied';
      return { columns: results };
    }, where);
  }, where);
}

async function rewrite(
  { onProgress = () => undefined }: AtomicOptions,
  { facts, reencryptor }: AtomicColumn,
  reader: pg.Client,
  writer: pg.Client,
): Promise<RowCounts> {
  const statements = pageStatements(facts);
  let counts = NO_ROWS;
  const unreadable: string[] = [];
  const settle = async (page: RawPage, { states, fresh }: RewrittenPage): Promise<void> => {
    const listed = unreadablePlaces(states, LISTED_ROWS - unreadable.length);
    unreadable.push(...(await describeRows(writer, facts, page, listed)));
    const batch = batchOf(page, fresh);
    // From the first unreadable row on rows are only counted: all of it will be rolled back.
    const write = batch !== null && unreadable.length === 0;
    const written = write ? await writeBatch(writer, statements, batch) : 0;
    if (write && written !== batch.rows) throw notWritten(facts, batch.rows - written);
    counts = addCounts(counts, countsOf(states, written));
    onProgress({ column: facts.name, counts });
  };
  await reencryptPages(readPages(reader, { facts, range: WHOLE_TABLE, after: null }), reencryptor, settle);
  if (counts.unreadable > 0) throw unreadableRows(facts, counts.unreadable, unreadable);
  return counts;
}

/** By the transaction itself, which alone sees what it has written. */
async function verify({ facts, reader }: AtomicColumn, counts: RowCounts, writer: pg.Client): Promise<number> {
  const { counts: states, unreadable } = await countStates(writer, facts, { old: null, new: reader });
  if (states.rows === counts.read && states.unreadable === 0 && states.empty === counts.empty) return states.new;
  const which = unreadable.length === 0 ? '' : ` (${unreadable.slice(0, NAMED_ROWS).join('; ')})`;
  throw new KeyturnError(
    'not-verified',
    `${facts.name}: of ${counts.read} rows, ${states.new} read under the new key and ${states.unreadable} do not${which}`,
    { hint: 'nothing was changed; a trigger on the table may rewrite values, or the column is declared twice' },
  );
}

function unreadableRows(facts: ColumnFacts, count: number, rows: readonly string[]): KeyturnError {
  const named = `${rows.slice(0, NAMED_ROWS).join('; ')}${count > NAMED_ROWS ? '; …' : ''}`;
  return new KeyturnError(
    'unreadable-rows',
    `${facts.name}: ${count} ${count === 1 ? 'row reads' : 'rows read'} under neither key: ${named}`,
    {
      hint: 'nothing was changed; find the key of these rows, or clear them, then start again',
      ...(rows.length > NAMED_ROWS ? { diagnosis: rows.slice(0, 100).join('\n') } : {}),
    },
  );
}

function notWritten(facts: ColumnFacts, count: number): KeyturnError {
  return new KeyturnError('not-written', `${facts.name}: ${count} rows did not take their new value`, {
    hint: 'nothing was changed; look for triggers and rules on the table that keep rows from being updated',
  });
}
