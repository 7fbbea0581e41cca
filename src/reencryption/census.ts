/**
 * How many rows of a column read under which key. Read-only, in one snapshot. With all the time it needs it is exact, and then it is
 * a proof: no row reads under the old key; every row reads under the new key alone. Within a budget it is a look beforehand.
 */
import type pg from 'pg';
import type { Server } from '../databases/server.js';
import type { ColumnFacts } from './column-facts.js';
import { copyRow } from './copy-row.js';
import { countStates, createTally, type Counted, type Readers, type StateCounts } from './count-states.js';
import { pageStatements } from './page-statements.js';
import { parsePage } from './read-pages.js';
import { prepareSession } from './session.js';

export interface CensusOptions {
  readonly server: Server;
  readonly facts: ColumnFacts;
  /** The keys to try; `unreadable` are the rows that read under none of these. */
  readonly readers: Readers;
  /** Milliseconds; null: every row is looked at, however long it takes. */
  readonly budget: number | null;
}

export interface Census {
  readonly name: string;
  /** Every row was looked at: `rows` and `counts` are exact. */
  readonly exact: boolean;
  /** Of the whole table; extrapolated from the server's statistics where it is not exact. */
  readonly counts: StateCounts;
  /** Rows that were looked at. */
  readonly seen: number;
  /** Primary keys of the first 1,000 unreadable rows among them. */
  readonly unreadable: readonly string[];
  /** How long re-encrypting the rows under the old key takes, in milliseconds, going by how long reading took. Rough. */
  readonly estimate: number;
}

/** What reading every row may take; a re-encryption beside it has 24 h too. */
const LIMIT_MS = 24 * 3_600_000;
/** Fewer than this are read to the end whatever the budget is: it takes seconds. */
const SMALL_TABLE = 20_000;
/** Rows that a look may take in a millisecond: a reader's work for two keys is 20 to 40 µs. */
const ROWS_PER_MS = 20;
/** A sample at a time, so that long values do not fill the memory. */
const SAMPLE_ROWS = 200;
/** After so many rows a share is known to half a percent. */
const SAMPLED_ROWS = 20_000;
/** Writing a row costs the server about as much as reading and opening it did; nothing goes faster than 80,000 rows a second. */
const WRITE_FACTOR = 2;
const FASTEST_MS_PER_ROW = 1 / 80;

/** @throws KeyturnError as Server. */
export async function census({ server, facts, readers, budget }: CensusOptions): Promise<Census> {
  return server.asWorker(
    async (client) => {
      await prepareSession(client);
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const started = performance.now();
      const until = budget === null ? null : started + budget;
      const { estimatedRows } = facts;
      const large = estimatedRows !== null && estimatedRows > SMALL_TABLE;
      const tooLarge = budget !== null && large && estimatedRows > budget * ROWS_PER_MS;
      const counted = tooLarge
        ? await countSample(client, facts, readers, estimatedRows, started + budget)
        : await countStates(client, facts, readers, until);
      await client.query('COMMIT');
      return censusOf(facts, counted, performance.now() - started);
    },
    { limit: LIMIT_MS },
  );
}

/** Rows of blocks chosen at random; no row is left out because of where it stands in the key's order. */
async function countSample(
  client: pg.Client,
  facts: ColumnFacts,
  readers: Readers,
  estimatedRows: number,
  until: number,
): Promise<Counted> {
  const tally = createTally(facts, readers);
  const percent = Math.min(100, (100 * SAMPLE_ROWS) / estimatedRows);
  const select = pageStatements(facts).sample(percent, SAMPLE_ROWS * 10);
  const most = Math.ceil(SAMPLED_ROWS / SAMPLE_ROWS);
  for (let taken = 0; taken < most && performance.now() < until; taken += 1) {
    const page = parsePage(facts, await copyRow(client, select));
    if (page) tally.add(page);
  }
  return { counts: tally.counts(), complete: false, unreadable: await tally.unreadable(client) };
}

function censusOf(facts: ColumnFacts, { counts: seen, complete, unreadable }: Counted, took: number): Census {
  const total = complete ? seen.rows : Math.max(seen.rows, Math.round(facts.estimatedRows ?? seen.rows));
  const counts = extrapolated(seen, total);
  const perRow = seen.rows === 0 ? 0 : Math.max(FASTEST_MS_PER_ROW, (WRITE_FACTOR * took) / seen.rows);
  return {
    ...{ name: facts.name, exact: complete, counts, seen: seen.rows },
    ...{ unreadable: [...new Set(unreadable)], estimate: Math.round(counts.old * perRow) },
  };
}

/** What was seen stays seen: one unreadable row among a million is not rounded away. */
function extrapolated(seen: StateCounts, total: number): StateCounts {
  if (seen.rows === 0 || total === seen.rows) return seen;
  const scaled = (count: number): number => Math.max(count, Math.round((count * total) / seen.rows));
  const [fromNew, empty, unreadable] = [scaled(seen.new), scaled(seen.empty), scaled(seen.unreadable)];
  const old = Math.max(seen.old, total - fromNew - empty - unreadable);
  return { old, new: fromNew, empty, unreadable, rows: old + fromNew + empty + unreadable };
}
