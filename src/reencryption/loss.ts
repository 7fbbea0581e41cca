/** What is lost of a table whose rows no key reads, told before anything is changed. Writes nothing but temporary tables. */
import type pg from 'pg';
import type { Reader } from '../ciphers/cipher.js';
import type { Server } from '../databases/server.js';
import type { ColumnFacts } from './column-facts.js';
import { identitiesOf } from './identities.js';
import { WHOLE_TABLE } from './key-range.js';
import { byTable, gather, keepKeys, type RowKeys } from './lost-rows.js';
import { findQuarantine, labelOf, placeOf } from './quarantine.js';
import { readPages } from './read-pages.js';
import { count, union } from './recover.js';
import { allowJoins, demandRemovable } from './removal.js';
import { prepareSession } from './session.js';

export interface NamedReader {
  /** `the key in use`, `backup /backups/arena.age`: what is said to people. */
  readonly name: string;
  readonly reader: Reader;
}

export interface LossColumn {
  readonly facts: ColumnFacts;
  /** A row counts for the first that reads it. */
  readonly readers: readonly NamedReader[];
}

export interface LossOfColumn {
  readonly name: string;
  readonly rows: number;
  readonly empty: number;
  /** In the order of the readers. */
  readonly reads: readonly { readonly name: string; readonly rows: number }[];
  readonly lost: number;
}

export interface LossOfTable {
  readonly table: string;
  readonly columns: readonly LossOfColumn[];
  /** Rows that would be moved. */
  readonly lost: number;
  /** The first of them: `id=7 (platform=reddit)`. */
  readonly identities: readonly string[];
  /** Columns of the label that the table has. */
  readonly label: readonly string[];
  /** Of this rotation, from an earlier attempt. */
  readonly quarantine: string | null;
  /** Rows in it. */
  readonly quarantined: number;
  /** Which of the readers can read what is in it: a key may have turned up since. */
  readonly readsAgain: readonly string[];
}

const LIMIT_MS = 24 * 3_600_000;

/** @throws KeyturnError as demandRemovable and Server. */
export async function findLoss(options: {
  readonly server: Server;
  readonly columns: readonly LossColumn[];
  readonly rotation: string;
  readonly label: readonly string[];
}): Promise<LossOfTable[]> {
  const { server, columns, rotation, label } = options;
  return await server.asWorker(
    async (client) => {
      await prepareSession(client);
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      const tables: LossOfTable[] = [];
      for (const [place, group] of byTable(columns).entries())
        tables.push(await lossOf(client, group, { place, rotation, label }));
      await client.query('ROLLBACK');
      return tables;
    },
    { limit: LIMIT_MS },
  );
}

async function lossOf(
  client: pg.Client,
  columns: readonly LossColumn[],
  { place, rotation, label }: { place: number; rotation: string; label: readonly string[] },
): Promise<LossOfTable> {
  const found: { readonly facts: ColumnFacts; readonly loss: LossOfColumn; readonly lost: string }[] = [];
  for (const [index, { facts, readers }] of columns.entries()) {
    const { loss, keys } = await countColumn(client, facts, readers);
    const lost = `keyturn_seen_${place}_${index}`;
    await keepKeys(client, lost, facts, keys);
    found.push({ facts, loss, lost });
  }
  const facts = columns[0]?.facts;
  if (!facts) throw new TypeError('a table has at least one column');
  const gone = await union(client, `keyturn_going_${place}`, found);
  await allowJoins(client);
  if (gone.rows > 0) await demandRemovable(client, gone.name, found);
  const known = await labelOf(client, facts, label);
  const identities = await identitiesOf(client, facts, known, { keys: gone.name });
  const quarantine = await findQuarantine(client, facts, rotation);
  const again = [];
  for (const column of quarantine ? columns : [])
    again.push(await countColumn(client, { ...column.facts, ...quarantine, partitioned: false }, column.readers));
  // The next table's pages are found by their key again.
  await prepareSession(client);
  return {
    table: `${facts.schema}.${facts.table}`,
    columns: found.map(({ loss }) => loss),
    lost: gone.rows,
    identities,
    label: known,
    quarantine: quarantine && placeOf(quarantine),
    quarantined: quarantine ? await count(client, placeOf(quarantine)) : 0,
    readsAgain: again.flatMap(({ loss }) => loss.reads.filter(({ rows }) => rows > 0).map(({ name }) => name)),
  };
}

async function countColumn(
  client: pg.Client,
  facts: ColumnFacts,
  readers: readonly NamedReader[],
): Promise<{ loss: LossOfColumn; keys: RowKeys }> {
  const keys: RowKeys = [];
  const reads = readers.map(() => 0);
  let [rows, empty, lost] = [0, 0, 0];
  for await (const page of readPages(client, { facts, range: WHOLE_TABLE, after: null })) {
    const states = page.values.map((value, row) => {
      if (value === null || value.length === 0) {
        empty += 1;
        return 'empty';
      }
      const associated = page.associated?.[row] ?? null;
      const by = readers.findIndex(({ reader }) => reader.reads(value, associated));
      if (by < 0) {
        lost += 1;
        return 'unreadable';
      }
      reads[by] = (reads[by] ?? 0) + 1;
      return 'old';
    });
    rows += page.rows;
    gather(keys, page, states, 'unreadable');
  }
  const counted = readers.map(({ name }, index) => ({ name, rows: reads[index] ?? 0 }));
  return { loss: { name: facts.name, rows, empty, reads: counted, lost }, keys };
}
