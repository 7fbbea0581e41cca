/** What a column's rows read under, looked at one by one in the plainest way. Writes nothing. */
import type pg from 'pg';
import type { Reader, ValueState } from '../ciphers/cipher.js';
import { pick } from './binary-array.js';
import type { ColumnFacts } from './column-facts.js';
import { WHOLE_TABLE } from './key-range.js';
import { unreadablePlaces } from './page-outcome.js';
import { readPages, type RawPage } from './read-pages.js';
import { describeRows, LISTED_ROWS } from './row-keys.js';

/** Which keys a value is tried under; null: not under that one. */
export interface Readers {
  readonly old: Reader | null;
  readonly new: Reader | null;
}

/** `old + new + empty + unreadable` is `rows`. Unreadable: under none of the keys that were tried. */
export type StateCounts = Readonly<Record<ValueState, number>> & { readonly rows: number };

export const NO_STATES: StateCounts = { rows: 0, old: 0, new: 0, empty: 0, unreadable: 0 };

export interface Counted {
  readonly counts: StateCounts;
  /** Every row was looked at. */
  readonly complete: boolean;
  /** Primary keys of the first 1,000 unreadable rows. */
  readonly unreadable: readonly string[];
}

/** @param until as performance.now() has it; null: however long it takes. */
export async function countStates(
  client: pg.Client,
  facts: ColumnFacts,
  readers: Readers,
  until: number | null = null,
): Promise<Counted> {
  const tally = createTally(facts, readers);
  let complete = true;
  for await (const page of readPages(client, { facts, range: WHOLE_TABLE, after: null })) {
    tally.add(page);
    if (until !== null && performance.now() > until) {
      // That was perhaps the last page; nobody has looked.
      complete = false;
      break;
    }
  }
  return { counts: tally.counts(), complete, unreadable: await tally.unreadable(client) };
}

export interface Tally {
  add(page: RawPage): void;
  counts(): StateCounts;
  /** Asks the server for the text of keys. */
  unreadable(client: pg.Client): Promise<string[]>;
}

export function createTally(facts: ColumnFacts, readers: Readers): Tally {
  let counts = NO_STATES;
  let listed = 0;
  const pages: { readonly keys: readonly Buffer[]; readonly rows: number }[] = [];
  return {
    add(page) {
      const states = page.values.map((value, row) => stateOf(readers, value, page.associated?.[row] ?? null));
      const of = { ...counts, rows: counts.rows + page.rows };
      for (const state of states) of[state] += 1;
      counts = of;
      const places = unreadablePlaces(states, LISTED_ROWS - listed);
      if (places.length > 0) pages.push({ keys: page.keys.map((array) => pick(array, places)), rows: places.length });
      listed += places.length;
    },
    counts: () => counts,
    async unreadable(client) {
      const found: string[] = [];
      for (const { keys, rows } of pages) {
        found.push(
          ...(await describeRows(
            client,
            facts,
            { keys },
            Array.from({ length: rows }, (_, place) => place),
          )),
        );
      }
      return found;
    },
  };
}

function stateOf(readers: Readers, value: Buffer | null, associated: Buffer | null): ValueState {
  if (value === null || value.length === 0) return 'empty';
  if (readers.new?.reads(value, associated)) return 'new';
  return readers.old?.reads(value, associated) ? 'old' : 'unreadable';
}
