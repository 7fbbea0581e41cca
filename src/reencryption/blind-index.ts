/**
 * A digest beside an encrypted column, by which its rows are looked up. If it is computed with the same key, nothing is found by it
 * under the new one, and no row shows that anything is wrong.
 */
import pg from 'pg';
import type { ColumnFacts } from './column-facts.js';

const quote = pg.escapeIdentifier;

const SAMPLED_ROWS = 100;
const HEX_DIGEST = /^[0-9a-f]{64}$/i;
const DIGEST_BYTES = 32;

/** Columns of text or bytes with an index that begins with them. */
const INDEXED = `
SELECT DISTINCT a.attname::text AS name FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE i.indrelid = pg_catalog.to_regclass($1) AND t.typname IN ('text', 'varchar', 'bpchar', 'bytea')
   AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') ORDER BY 1`;

/** @returns for each of them what a person should know. */
export async function blindIndexes(client: pg.Client, columns: readonly ColumnFacts[]): Promise<string[]> {
  const said: string[] = [];
  const tables = new Map(columns.map((facts) => [`${quote(facts.schema)}.${quote(facts.table)}`, facts]));
  for (const [table, facts] of tables) {
    const own = columns.filter((one) => one.schema === facts.schema && one.table === facts.table);
    const { rows } = await client.query<{ name: string }>(INDEXED, [table]);
    for (const { name } of rows) {
      if (own.some(({ column }) => column === name)) continue;
      const { rows: sample } = await client.query<{ value: string | Buffer }>(
        `SELECT t.${quote(name)} AS value FROM ${facts.partitioned ? '' : 'ONLY '}${table} AS t WHERE t.${quote(name)} IS NOT NULL LIMIT ${SAMPLED_ROWS}`,
      );
      if (sample.length === 0 || !sample.every(({ value }) => isDigest(value))) continue;
      said.push(
        `${facts.schema}.${facts.table}.${name} has an index and looks like a digest of what is encrypted beside it (a blind index): if it is computed with this key, nothing is found by it afterwards, until the application computes it anew`,
      );
    }
  }
  return said;
}

function isDigest(value: string | Buffer): boolean {
  if (typeof value !== 'string') return value.length === DIGEST_BYTES || HEX_DIGEST.test(value.toString('latin1'));
  return HEX_DIGEST.test(value);
}
