/**
 * Recovery of a table some of whose rows no key reads (document 004, "What Happens if CREDENTIAL_ENCRYPTION_KEY Is Lost"): in one
 * transaction what can be read comes over to the fresh key, and what cannot goes into a quarantine. And the way back.
 */
import type pg from 'pg';
import type { Reader, Reencryptor } from '../ciphers/cipher.js';
import type { Server } from '../databases/server.js';
import { KeyturnError, type Effect } from '../domain/errors.js';
import { addCounts, NO_ROWS, type RowCounts } from '../domain/row-counts.js';
import type { ColumnFacts } from './column-facts.js';
import { countStates } from './count-states.js';
import { WHOLE_TABLE } from './key-range.js';
import { byTable, gather, keepKeys, type RowKeys } from './lost-rows.js';
import { countsOf } from './page-outcome.js';
import { pageStatements } from './page-statements.js';
import { reencryptPages } from './pipeline.js';
import { findQuarantine, moveAway, placeOf, putBack } from './quarantine.js';
import { readPages } from './read-pages.js';
import { allowJoins, demandRemovable } from './removal.js';
import { prepareSession } from './session.js';
import { lockTables } from './table-locks.js';
import { batchOf, writeBatch } from './write-page.js';

export interface RecoveredColumn {
  readonly facts: ColumnFacts;
  /** From the key in use to the fresh one; for the way back the other way round. */
  readonly reencryptor: Reencryptor;
  /** Under the key that it goes to. */
  readonly reader: Reader;
}

export interface RecoverOptions {
  readonly server: Server;
  readonly columns: readonly RecoveredColumn[];
  /** Whose quarantine it is. */
  readonly rotation: string;
  /** Columns that tell people which row it is; a table that lacks one is told by the others. */
  readonly label: readonly string[];
  readonly onProgress?: (progress: { readonly column: string; readonly counts: RowCounts }) => void;
}

export interface RecoveredTable {
  readonly table: string;
  readonly columns: readonly { readonly name: string; readonly counts: RowCounts }[];
  /** `schema.table`, quoted where it must be; null: nothing of this table is in quarantine. */
  readonly quarantine: string | null;
  /** Rows that are in it now, also from an earlier attempt. */
  readonly quarantined: number;
}

const LOCK_WAIT_MS = 10_000;
const LIMIT_MS = 24 * 3_600_000;

/**
 * Idempotent: a second call finds every row new and nothing to move.
 * @throws KeyturnError `table-locked` (retryable), `not-written`, `not-verified`, and as demandRemovable and Server. Unless `effect`
 * is `unknown`, everything is as it was before.
 */
export async function recover(options: RecoverOptions): Promise<RecoveredTable[]> {
  return await inTransaction(options, async (reader, writer) => {
    const tables: RecoveredTable[] = [];
    for (const [place, columns] of byTable(options.columns).entries())
      tables.push(await recoverTable(options, columns, place, reader, writer));
    return tables;
  });
}

/**
 * Undo of `recover`: rows back to the key they came from, and out of the quarantine. Idempotent; rows that neither key reads stay as
 * they are. @throws KeyturnError as Server, when a row has been entered again under a quarantined one's key.
 */
export async function undoRecovery(
  options: Omit<RecoverOptions, 'label'>,
): Promise<{ reencrypted: number; back: number }> {
  return await inTransaction(options, async (reader, writer) => {
    let [reencrypted, back] = [0, 0];
    for (const column of options.columns)
      reencrypted += (await rewrite(options, column, reader, writer)).counts.reencrypted;
    for (const [first] of byTable(options.columns))
      if (first) back += await putBack(writer, first.facts, options.rotation);
    return { reencrypted, back };
  });
}

async function recoverTable(
  options: RecoverOptions,
  columns: readonly RecoveredColumn[],
  place: number,
  reader: pg.Client,
  writer: pg.Client,
): Promise<RecoveredTable> {
  const { rotation, label } = options;
  const done: { readonly column: RecoveredColumn; readonly counts: RowCounts; readonly lost: string }[] = [];
  for (const [index, column] of columns.entries()) {
    const { counts, lost } = await rewrite(options, column, reader, writer);
    const name = `keyturn_lost_${place}_${index}`;
    await keepKeys(writer, name, column.facts, lost);
    done.push({ column, counts, lost: name });
  }
  const facts = columns[0]?.facts;
  if (!facts) throw new TypeError('a table has at least one column');
  const gone = await union(writer, `keyturn_gone_${place}`, done);
  if (gone.rows > 0) {
    await allowJoins(writer);
    await demandRemovable(
      writer,
      gone.name,
      done.map(({ column, lost }) => ({ facts: column.facts, lost })),
    );
    await moveAway(writer, facts, { gone: gone.name, rotation, label });
  }
  for (const { column } of done) await verify(column, writer);
  const quarantine = await findQuarantine(writer, facts, rotation);
  return {
    table: `${facts.schema}.${facts.table}`,
    columns: done.map(({ column, counts }) => ({ name: column.facts.name, counts })),
    quarantine: quarantine && placeOf(quarantine),
    quarantined: quarantine ? await count(writer, placeOf(quarantine)) : 0,
  };
}

/** The rows of a table that are unreadable in any of its columns. */
export async function union(
  client: pg.Client,
  name: string,
  columns: readonly { readonly lost: string }[],
): Promise<{ readonly name: string; readonly rows: number }> {
  const all = columns.map(({ lost }) => `SELECT * FROM ${lost}`).join(' UNION ');
  await client.query(`CREATE TEMP TABLE ${name} ON COMMIT DROP AS ${all}`);
  await client.query(`ANALYZE ${name}`);
  return { name, rows: await count(client, name) };
}

export async function count(client: pg.Client, place: string): Promise<number> {
  return (await client.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${place}`)).rows[0]?.count ?? 0;
}

async function rewrite(
  { onProgress = () => undefined }: Pick<RecoverOptions, 'onProgress'>,
  { facts, reencryptor }: RecoveredColumn,
  reader: pg.Client,
  writer: pg.Client,
): Promise<{ counts: RowCounts; lost: RowKeys }> {
  const statements = pageStatements(facts);
  const lost: RowKeys = [];
  let counts = NO_ROWS;
  // Pages are read on a connection of their own: nobody can write to the tables, so what is committed is what is there.
  await reencryptPages(
    readPages(reader, { facts, range: WHOLE_TABLE, after: null }),
    reencryptor,
    async (page, { states, fresh }) => {
      const batch = batchOf(page, fresh);
      const written = batch ? await writeBatch(writer, statements, batch) : 0;
      if (batch && written !== batch.rows) throw notWritten(facts, batch.rows - written);
      gather(lost, page, states, 'unreadable');
      counts = addCounts(counts, countsOf(states, written));
      onProgress({ column: facts.name, counts });
    },
  );
  return { counts, lost };
}

/** By the transaction itself: whatever is left in the table reads under the new key alone. */
async function verify({ facts, reader }: RecoveredColumn, writer: pg.Client): Promise<void> {
  const { counts, unreadable } = await countStates(writer, facts, { old: null, new: reader });
  if (counts.unreadable === 0) return;
  throw new KeyturnError(
    'not-verified',
    `${facts.name}: ${counts.unreadable} rows do not read under the new key (${unreadable.slice(0, 10).join('; ')})`,
    { hint: 'nothing was changed; a trigger on the table may rewrite values, or the column is declared twice' },
  );
}

function notWritten(facts: ColumnFacts, rows: number): KeyturnError {
  return new KeyturnError('not-written', `${facts.name}: ${rows} rows did not take their new value`, {
    hint: 'nothing was changed; look for triggers and rules on the table that keep rows from being updated',
  });
}

async function inTransaction<T>(
  { server, columns }: Pick<RecoverOptions, 'server' | 'columns'>,
  work: (reader: pg.Client, writer: pg.Client) => Promise<T>,
): Promise<T> {
  let effect: Effect = 'none';
  const where = { limit: LIMIT_MS, effect: () => effect };
  return await server.asWorker(async (reader) => {
    await prepareSession(reader);
    return await server.asWorker(async (writer) => {
      await prepareSession(writer);
      await writer.query('BEGIN ISOLATION LEVEL READ COMMITTED');
      await lockTables(writer, { server, columns: columns.map(({ facts }) => facts), wait: LOCK_WAIT_MS });
      const result = await work(reader, writer);
      effect = 'unknown';
      await writer.query('COMMIT');
      effect = 'applied';
      return result;
    }, where);
  }, where);
}
