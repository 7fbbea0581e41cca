/** Rows named for people, by their primary key. */
import type pg from 'pg';
import { oneLine } from '../processes/safe-text.js';
import { pick } from './binary-array.js';
import type { ColumnFacts } from './column-facts.js';
import { pageStatements } from './page-statements.js';
import type { RawPage } from './read-pages.js';

/** What a person can still look through, and a heartbeat can carry. */
export const LISTED_ROWS = 1_000;
const LONGEST_KEY = 200;

/** @returns for each place `id=42`, or `tenant=3, id=42`. */
export async function describeRows(
  client: pg.Client,
  facts: ColumnFacts,
  page: Pick<RawPage, 'keys'>,
  places: readonly number[],
): Promise<string[]> {
  if (places.length === 0) return [];
  const { rows } = await client.query<Record<string, string>>(
    pageStatements(facts).keysAsText,
    page.keys.map((array) => pick(array, places)),
  );
  return rows.map((row) =>
    oneLine(facts.keys.map(({ name }, index) => `${name}=${row[`k${index}`] ?? ''}`).join(', '), LONGEST_KEY),
  );
}
