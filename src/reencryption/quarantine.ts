/**
 * Where rows go that no key reads: a table beside theirs, with the same columns and types and none of the constraints. A run's
 * quarantine is found by its mark, so a second attempt, and the run that goes on from a terminated one, use the same.
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { readColumns, readTable } from './catalogue.js';
import type { ColumnFacts } from './column-facts.js';
import { sameRow } from './lost-rows.js';
import { tableOf } from './page-statements.js';

const quote = pg.escapeIdentifier;

/** PostgreSQL's longest name is 63 bytes; `_quarantine_YYYYMMDD_` and eight digits are 29 of them. */
const NAME_BYTES = 34;

export interface Quarantine {
  readonly schema: string;
  readonly table: string;
}

export function placeOf({ schema, table }: Quarantine): string {
  return `${quote(schema)}.${quote(table)}`;
}

/** The table that keeps the names of its rows when it is destroyed. As long a name: it fits too. */
export function namesOf({ schema, table }: Quarantine): Quarantine {
  return { schema, table: table.replace(/_quarantine_(?=\d{8}_[0-9a-f]{8}$)/, '_identities_') };
}

/** @returns null: this run has moved nothing out of that table. */
export async function findQuarantine(
  client: pg.Client,
  facts: ColumnFacts,
  rotation: string,
): Promise<Quarantine | null> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind = 'r' AND starts_with(c.relname, $2) AND right(c.relname, 9) = $3`,
    [facts.schema, beginningOf(facts), `_${markOf(facts, rotation)}`],
  );
  const [found] = rows;
  return found ? { schema: facts.schema, table: found.name } : null;
}

/**
 * Within a transaction that holds the table. @param gone temporary table with the keys of the rows.
 * @returns how many rows were moved. @throws KeyturnError `not-written` when triggers or rules keep rows from being moved.
 */
export async function moveAway(
  client: pg.Client,
  facts: ColumnFacts,
  { gone, rotation, label }: { gone: string; rotation: string; label: readonly string[] },
): Promise<{ readonly quarantine: Quarantine; readonly moved: number }> {
  const quarantine = (await findQuarantine(client, facts, rotation)) ?? (await create(client, facts, rotation));
  const columns = await columnsOf(client, facts);
  const names = columns.map(({ name }) => quote(name));
  const { rowCount: copied } = await client.query(
    `INSERT INTO ${placeOf(quarantine)} (${names.join(', ')})
     SELECT ${names.map((name) => `t.${name}`).join(', ')} FROM ${tableOf(facts)} AS t JOIN ${gone} g ON ${sameRow(facts, 't', 'g')}`,
  );
  const { rowCount: removed } = await client.query(
    `DELETE FROM ${tableOf(facts)} AS t USING ${gone} g WHERE ${sameRow(facts, 't', 'g')}`,
  );
  if (copied !== removed) {
    throw new KeyturnError(
      'not-written',
      `${facts.schema}.${facts.table}: ${copied ?? 0} rows were copied, ${removed ?? 0} deleted`,
      {
        hint: 'nothing was changed; look for triggers and rules on the table that keep rows from being deleted',
      },
    );
  }
  const known = await labelOf(client, facts, label);
  if (known.length > 0) await markUnlike(client, facts, quarantine, known);
  return { quarantine, moved: removed ?? 0 };
}

/**
 * Undo of `moveAway`: the rows as they were, and the quarantine gone. Nothing to do where there is none.
 * @throws KeyturnError as Server, when somebody has entered a row under the same key meanwhile.
 */
export async function putBack(client: pg.Client, facts: ColumnFacts, rotation: string): Promise<number> {
  const quarantine = await findQuarantine(client, facts, rotation);
  if (!quarantine) return 0;
  const columns = await columnsOf(client, facts);
  // What is generated is generated again.
  const names = columns.filter(({ generated }) => !generated).map(({ name }) => quote(name));
  const { rowCount } = await client.query(
    `INSERT INTO ${quote(facts.schema)}.${quote(facts.table)} (${names.join(', ')}) OVERRIDING SYSTEM VALUE
     SELECT ${names.join(', ')} FROM ${placeOf(quarantine)}`,
  );
  const { rows } = await client.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${placeOf(quarantine)}`);
  if (rowCount !== rows[0]?.count) {
    throw new KeyturnError(
      'not-written',
      `${facts.schema}.${facts.table}: rows of ${quarantine.table} were not taken back`,
      {
        hint: 'nothing was changed; look for triggers and rules on the table that keep rows from being inserted',
      },
    );
  }
  await client.query(`DROP TABLE ${placeOf(quarantine)}`);
  return rowCount;
}

/** NOT NULL comes along, which rows of the table fulfil; keys, checks, references, defaults and triggers do not. */
async function create(client: pg.Client, facts: ColumnFacts, rotation: string): Promise<Quarantine> {
  const { rows } = await client.query<{ today: string }>(
    `SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') AS today`,
  );
  const table = `${beginningOf(facts)}${rows[0]?.today ?? ''}_${markOf(facts, rotation)}`;
  const quarantine = { schema: facts.schema, table };
  const source = `${quote(facts.schema)}.${quote(facts.table)}`;
  const run = pg.escapeLiteral(rotation);
  // Not of the login that makes it, which is gone when this step is over.
  const owner = quote(facts.owner);
  const comment = `Rows of ${facts.schema}.${facts.table} that no key reads, moved by Keyturn's run ${rotation}`;
  await client.query(
    `CREATE TABLE ${placeOf(quarantine)} (LIKE ${source},
       keyturn_moved_at timestamptz NOT NULL DEFAULT now(), keyturn_run text NOT NULL DEFAULT ${run},
       keyturn_by_label boolean NOT NULL DEFAULT false);
     COMMENT ON TABLE ${placeOf(quarantine)} IS ${pg.escapeLiteral(comment)};
     ALTER TABLE ${placeOf(quarantine)} OWNER TO ${owner}`,
  );
  return quarantine;
}

/** A label tells a row apart only where no other has it, kept or moved: an entry that was there all along is no re-entry. */
async function markUnlike(
  client: pg.Client,
  facts: ColumnFacts,
  quarantine: Quarantine,
  label: readonly string[],
): Promise<void> {
  const place = placeOf(quarantine);
  const own = label.map((name) => `${quote(name)}::text`).join(', ');
  await client.query(
    `UPDATE ${place} AS q SET keyturn_by_label = w.alike = 1 AND NOT EXISTS (SELECT FROM ${tableOf(facts)} AS t WHERE ${sameLabel(label, 't', 'q')})
       FROM (SELECT ctid, count(*) OVER (PARTITION BY ${own}) AS alike FROM ${place}) w WHERE q.ctid = w.ctid`,
  );
}

/** Of the label's columns those that this table has. */
export async function labelOf(client: pg.Client, facts: ColumnFacts, label: readonly string[]): Promise<string[]> {
  if (label.length === 0) return [];
  const own = (await columnsOf(client, facts)).map(({ name }) => name);
  return label.filter((name) => own.includes(name));
}

export function sameLabel(label: readonly string[], one: string, other: string): string {
  return label.map((name) => `${one}.${quote(name)}::text = ${other}.${quote(name)}::text`).join(' AND ');
}

async function columnsOf(client: pg.Client, { schema, table }: ColumnFacts): ReturnType<typeof readColumns> {
  const found = await readTable(client, `${schema}.${table}`);
  return found ? await readColumns(client, found.oid) : [];
}

function beginningOf({ table }: ColumnFacts): string {
  const cut = Buffer.from(table, 'utf8')
    .subarray(0, NAME_BYTES)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  return `${cut}_quarantine_`;
}

/** Of the table too: two long names may begin alike. */
function markOf({ schema, table }: ColumnFacts, rotation: string): string {
  return createHash('sha256').update(`${rotation}/${schema}/${table}`).digest('hex').slice(0, 8);
}
