/** Rows that no key reads: gathered while pages go by, then kept by the server in a temporary table, whatever their key's type. */
import pg from 'pg';
import type { ValueState } from '../ciphers/cipher.js';
import { pick } from './binary-array.js';
import type { ColumnFacts } from './column-facts.js';
import { tableOf } from './page-statements.js';
import type { RawPage } from './read-pages.js';

const quote = pg.escapeIdentifier;

/** Keys of rows, as binary arrays: some 16 bytes a row for a bigint. */
export type RowKeys = (readonly Buffer[])[];

/** Of a page, the keys of the rows in this state. */
export function gather(into: RowKeys, page: RawPage, states: readonly ValueState[], wanted: ValueState): void {
  const places = states.flatMap((state, place) => (state === wanted ? [place] : []));
  if (places.length > 0) into.push(page.keys.map((array) => pick(array, places)));
}

/** Within a transaction: a temporary table `name` with a column for each key column. It is gone with the transaction. */
export async function keepKeys(client: pg.Client, name: string, facts: ColumnFacts, keys: RowKeys): Promise<void> {
  const types = facts.keys.map(({ type, asText }) => (asText ? 'text' : type));
  await client.query(
    `CREATE TEMP TABLE ${name} (${types.map((type, index) => `k${index} ${type}`).join(', ')}) ON COMMIT DROP`,
  );
  const arrays = types.map((type, index) => `$${index + 1}::${type}[]`).join(', ');
  for (const page of keys) await client.query(`INSERT INTO ${name} SELECT * FROM unnest(${arrays})`, [...page]);
}

/** That a row of one is the row of the other, by the key's columns. @param row `t`, a table with the key's own columns. */
export function sameRow({ keys }: ColumnFacts, row: string, kept: string): string {
  return keys
    .map(({ name, type, asText }, index) => `${row}.${quote(name)} = ${kept}.k${index}${asText ? `::${type}` : ''}`)
    .join(' AND ');
}

/** Whether the value is there at all. */
export function present({ kind, column, path }: ColumnFacts, row: string): string {
  const name = `${row}.${quote(column)}`;
  const keys = (path ?? []).map((key) => pg.escapeLiteral(key)).join(', ');
  const value = kind === 'jsonb' ? `(${name}::jsonb #>> ARRAY[${keys}]::text[])` : `${name}::${kind}`;
  return `(octet_length(${value}) > 0) IS TRUE`;
}

/** Columns of one table, together. */
export function byTable<T extends { readonly facts: ColumnFacts }>(columns: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const column of columns) {
    const name = tableOf(column.facts);
    groups.set(name, [...(groups.get(name) ?? []), column]);
  }
  return [...groups.values()];
}
