/** Rows named for people who enter them again: by primary key, and by the columns that say what they are. Never by a value. */
import pg from 'pg';
import { oneLine } from '../processes/safe-text.js';
import type { ColumnFacts } from './column-facts.js';
import { sameRow } from './lost-rows.js';
import { tableOf } from './page-statements.js';

const quote = pg.escapeIdentifier;

/** A checklist that people work through, and the record keeps; the quarantine itself has all of them. */
export const LISTED_IDENTITIES = 200;
const LONGEST = 200;

/**
 * @param where rows of the table whose keys a temporary table holds, or all rows of a quarantine.
 */
export async function identitiesOf(
  client: pg.Client,
  facts: ColumnFacts,
  label: readonly string[],
  where: { readonly keys: string } | { readonly quarantine: string; readonly more?: string },
): Promise<string[]> {
  const names = [...facts.keys.map(({ name }) => name), ...label];
  const from =
    'keys' in where
      ? `${tableOf(facts)} AS t JOIN ${where.keys} g ON ${sameRow(facts, 't', 'g')}`
      : `${where.quarantine} AS t`;
  const condition = 'more' in where ? ` WHERE ${where.more}` : '';
  const { rows } = await client.query<Record<string, string | null>>(
    `SELECT ${names.map((name, index) => `t.${quote(name)}::text AS c${index}`).join(', ')} FROM ${from}${condition}
      ORDER BY ${facts.keys.map(({ name }) => `t.${quote(name)}`).join(', ')} LIMIT ${LISTED_IDENTITIES}`,
  );
  return rows.map((row) => {
    const said = names.map((name, index) => `${name}=${row[`c${index}`] ?? 'NULL'}`);
    const key = said.slice(0, facts.keys.length).join(', ');
    return oneLine(label.length > 0 ? `${key} (${said.slice(facts.keys.length).join(', ')})` : key, LONGEST);
  });
}
