/** Pages of a column in the order of its key, the next one asked for while this one is worked on. Never by OFFSET. */
import type pg from 'pg';
import { parseArray } from './binary-array.js';
import type { ColumnFacts } from './column-facts.js';
import { copyRow } from './copy-row.js';
import type { Cursor, KeyRange } from './key-range.js';
import { hasPlaces, PAGE_BYTES, pageStatements } from './page-statements.js';

export interface RawPage {
  readonly rows: number;
  /** The last row's key: where the next page begins. */
  readonly cursor: Cursor;
  /** Binary arrays as they came, one for each key column. */
  readonly keys: readonly Buffer[];
  /** Where the rows stand in their table (ctid), as an array; null: they are in several tables. */
  readonly places: Buffer | null;
  /** The values as they came, and one by one. */
  readonly array: Buffer;
  readonly elementType: number;
  readonly values: readonly (Buffer | null)[];
  readonly associatedArray: Buffer | null;
  readonly associated: readonly Buffer[] | null;
}

/**
 * 2,000 are 6 % faster and leave twice as much behind for the garbage collector at a time: the peak of memory then depends on when it
 * comes by. A page's rows are also locked for as long as the page takes.
 */
const PAGE_ROWS = 1_000;
/** Nobody knows yet how long the values are. */
const FIRST_ROWS = 100;

export interface PagesOptions {
  readonly facts: ColumnFacts;
  readonly range: KeyRange;
  readonly after: Cursor | null;
  /** Rows of a page at most. */
  readonly pageRows?: number | undefined;
}

/** Nothing else may be asked on `client` until the pages are through, or given up by `return`. */
export async function* readPages(client: pg.Client, options: PagesOptions): AsyncGenerator<RawPage, void> {
  const { facts, range, pageRows = PAGE_ROWS } = options;
  const statements = pageStatements(facts);
  const read = async (after: Cursor | null, rows: number): Promise<RawPage | null> =>
    parsePage(facts, await copyRow(client, statements.select(range, after, rows)));
  let limit = Math.min(pageRows, FIRST_ROWS);
  let coming = read(options.after, limit);
  try {
    for (;;) {
      const page = await coming;
      if (page === null) return;
      if (page.rows < limit && !facts.longValues) {
        yield page;
        return;
      }
      limit = Math.max(1, Math.min(pageRows, Math.floor((PAGE_BYTES * page.rows) / bytesOf(page))));
      coming = read(page.cursor, limit);
      coming.catch(() => undefined);
      yield page;
    }
  } finally {
    await coming.catch(() => undefined);
  }
}

/** @param row as PageStatements.select has it. @returns null: there are no rows. */
export function parsePage(facts: ColumnFacts, [count, ...columns]: readonly (Buffer | null)[]): RawPage | null {
  const rows = count?.readInt32BE() ?? 0;
  if (rows === 0) return null;
  const width = facts.keys.length;
  const [array, ...rest] = columns.slice(2 * width);
  const places = hasPlaces(facts) ? present(rest.shift()) : null;
  const associatedArray = rest[0] ?? null;
  const { elements: values, elementType } = parseArray(present(array));
  return {
    rows,
    cursor: columns.slice(0, width).map((key) => present(key).toString('utf8')),
    keys: columns.slice(width, 2 * width).map(present),
    ...{ places, array: present(array), elementType, values, associatedArray },
    associated: associatedArray && parseArray(associatedArray).elements.map(present),
  };
}

function bytesOf({ keys, array, associatedArray }: RawPage): number {
  return [...keys, ...(associatedArray ? [associatedArray] : [])].reduce(
    (sum, { length }) => sum + length,
    array.length,
  );
}

function present(bytes: Buffer | null | undefined): Buffer {
  if (!bytes) throw new TypeError('a key, a place, and what is authenticated, is never NULL');
  return bytes;
}
