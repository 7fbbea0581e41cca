/** Which rows of a table have an encrypted value: `where` of the inventory, as SQL that holds nothing but names and literals. */
import pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import type { RowFilter } from '../domain/specs/encryption.js';
import type { CatalogueTable } from './catalogue.js';
import type { ColumnFacts } from './column-facts.js';
import { tableOf } from './page-statements.js';

/** On a table called `t`. The server reads each literal as the column's own type. */
export function conditionOf(filter: RowFilter): string {
  const each = Object.entries(filter).map(([column, wanted]) => {
    const name = `t.${pg.escapeIdentifier(column)}`;
    const values = [wanted].flat();
    const tests = values.map((value) =>
      value === null ? `${name} IS NULL` : `${name} OPERATOR(pg_catalog.=) ${pg.escapeLiteral(String(value))}`,
    );
    return `(${tests.join(' OR ')})`;
  });
  // NULL is not true: every row is either meant or not.
  return `((${each.join(' AND ')}) IS TRUE)`;
}

/**
 * By the server's statistics, which also shows that it takes the condition.
 * @throws KeyturnError `bad-where`.
 */
export async function estimateRows(
  client: pg.Client,
  table: CatalogueTable,
  condition: string | null,
  shown: string,
): Promise<number | null> {
  if (condition === null) return table.estimatedRows;
  const from = `${pg.escapeIdentifier(table.schema)}.${pg.escapeIdentifier(table.name)}`;
  try {
    const { rows } = await client.query<{ 'QUERY PLAN': readonly [{ Plan: { 'Plan Rows': number } }] }>(
      `EXPLAIN (FORMAT JSON) SELECT FROM ${table.kind === 'p' ? '' : 'ONLY '}${from} AS t WHERE ${condition}`,
    );
    return table.estimatedRows === null ? null : (rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? null);
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    // What cannot be read as the column's type, or not be compared with it.
    if (!/^(?:22|42)/.test(code)) throw error;
    throw new KeyturnError('bad-where', `${shown} cannot be asked for the rows that "where" means (${code})`, {
      hint: 'give each column a value of its own type: true, 1, "v2", null, or a list of them',
    });
  }
}

/** Rows with a value that the filter leaves out. @returns null: they could not be counted in this time, in milliseconds. */
export async function countOutside(client: pg.Client, facts: ColumnFacts, limit: number): Promise<number | null> {
  if (facts.condition === null) return 0;
  const column = `t.${pg.escapeIdentifier(facts.column)}`;
  await client.query(`SET statement_timeout = ${limit}`);
  try {
    const { rows } = await client.query<{ count: string }>(
      `SELECT pg_catalog.count(*) AS count FROM ${tableOf(facts)} AS t WHERE NOT ${facts.condition} AND ${column} IS NOT NULL`,
    );
    return Number(rows[0]?.count);
  } catch (error) {
    if ((error as { code?: unknown }).code !== '57014') throw error;
    return null;
  }
}
