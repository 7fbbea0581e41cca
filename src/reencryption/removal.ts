/** Whether rows can be taken out of a table without harm to others: asked before, and again by the transaction that does it. */
import pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import type { ColumnFacts } from './column-facts.js';
import { present, sameRow } from './lost-rows.js';
import { tableOf } from './page-statements.js';

const quote = pg.escapeIdentifier;

/** Joins over whole tables: what prepareSession forbids for the sake of pages is right here. */
export async function allowJoins(client: pg.Client): Promise<void> {
  await client.query(
    'SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_bitmapscan = on',
  );
}

/**
 * @param gone temporary table with the keys of the rows. @param kept of each column, the temporary table of its unreadable rows.
 * @throws KeyturnError `insufficient-privilege`, `rows-referenced` (whatever the foreign key would do: other tables are not ours),
 * `half-readable`. Nothing was changed.
 */
export async function demandRemovable(
  client: pg.Client,
  gone: string,
  columns: readonly { readonly facts: ColumnFacts; readonly lost: string }[],
): Promise<void> {
  const [first] = columns;
  if (!first) return;
  const { facts } = first;
  const shown = `${facts.schema}.${facts.table}`;
  await demandRights(client, facts, shown);
  for (const { name, child, columns: own, referenced } of await referencesTo(client, facts)) {
    const same = own.map((column, index) => `c.${column} = t.${referenced[index] ?? ''}`).join(' AND ');
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM ${tableOf(facts)} AS t JOIN ${gone} g ON ${sameRow(facts, 't', 'g')} JOIN ${child} AS c ON ${same}`,
    );
    const count = rows[0]?.count ?? 0;
    if (count > 0) {
      throw new KeyturnError('rows-referenced', `${count} row(s) of ${child} point to rows of ${shown} (${name})`, {
        hint: 'rows that others point to are not moved: delete or repoint those first, or enter the unreadable values anew in place',
      });
    }
  }
  for (const other of columns) {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM ${tableOf(facts)} AS t JOIN ${gone} g ON ${sameRow(facts, 't', 'g')}
        WHERE ${present(other.facts, 't')} AND NOT EXISTS (SELECT FROM ${other.lost} l WHERE ${sameRow(facts, 't', 'l')})`,
    );
    const count = rows[0]?.count ?? 0;
    if (count > 0) {
      throw new KeyturnError('half-readable', `${count} unreadable row(s) have a readable ${other.facts.name}`, {
        hint: 'a row is moved as a whole, and what can be read must stay: set the unreadable value of these rows to NULL, or enter it anew',
      });
    }
  }
}

async function demandRights(client: pg.Client, facts: ColumnFacts, shown: string): Promise<void> {
  const table = `${quote(facts.schema)}.${quote(facts.table)}`;
  const { rows } = await client.query<{ missing: string[] }>(
    `SELECT array_remove(ARRAY[
       CASE WHEN NOT has_table_privilege($1, 'DELETE') THEN 'DELETE on the table' END,
       CASE WHEN NOT has_table_privilege($1, 'INSERT') THEN 'INSERT on the table' END,
       CASE WHEN NOT has_schema_privilege($2, 'CREATE') THEN 'CREATE on its schema' END,
       CASE WHEN NOT pg_has_role($3, 'MEMBER') THEN 'membership in ' || $3 END], NULL) AS missing`,
    [table, facts.schema, facts.owner],
  );
  const missing = rows[0]?.missing ?? [];
  if (missing.length === 0) return;
  throw new KeyturnError('insufficient-privilege', `${missing.join(', ')} is lacking for ${shown}`, {
    hint: `give it to ${facts.owner}, the table's owner: rows are moved with its rights. A superuser's are not used for that: let a role without such rights own the table`,
  });
}

interface Reference {
  readonly name: string;
  /** Quoted. */
  readonly child: string;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
}

const REFERENCES = `
SELECT c.conname AS name,
       (SELECT quote_ident(n.nspname) || '.' || quote_ident(r.relname)
          FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace WHERE r.oid = c.conrelid) AS child,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(c.conkey) WITH ORDINALITY k(n, place)
               JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY place) AS columns,
       ARRAY(SELECT quote_ident(a.attname) FROM unnest(c.confkey) WITH ORDINALITY k(n, place)
               JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY place) AS referenced
  FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = $1::regclass AND c.conparentid = 0 ORDER BY 1`;

async function referencesTo(client: pg.Client, facts: ColumnFacts): Promise<Reference[]> {
  const table = `${quote(facts.schema)}.${quote(facts.table)}`;
  return (await client.query<Reference>(REFERENCES, [table])).rows;
}
