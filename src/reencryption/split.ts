/** Parts of a table of about the same size, for several activities at once. */
import type { Server } from '../databases/server.js';
import pg from 'pg';
import type { ColumnFacts } from './column-facts.js';
import { WHOLE_TABLE, type Cursor, type KeyRange } from './key-range.js';
import { tableOf } from './page-statements.js';
import { prepareSession } from './session.js';

export interface SplitOptions {
  readonly server: Server;
  readonly facts: ColumnFacts;
  /** Ranges wished for; a small table gives fewer. */
  readonly parts: number;
}

/** Below this a second connection costs more than it brings. */
const ROWS_WORTH_A_PART = 5_000;
/** A sample this large puts boundaries within a percent of where they should be. */
const SAMPLED_ROWS = 20_000;

/** A table that was never analysed is read as a whole: so long as re-encrypting may take. */
const LIMIT = { limit: 24 * 3_600_000 };

/**
 * Together the ranges have every key there is or will be, each once: the first has no beginning, the last no end. Read-only; two
 * calls may choose other boundaries, so one's result is to be kept.
 * @throws KeyturnError as Server.
 */
export async function splitTable({ server, facts, parts }: SplitOptions): Promise<KeyRange[]> {
  if (parts < 2) return [WHOLE_TABLE];
  return server.asWorker(async (client) => {
    await prepareSession(client);
    const boundaries = (await client.query<Record<string, string>>(boundariesOf(facts, parts))).rows.map((row) =>
      facts.keys.map((_, index) => row[`k${index}`] ?? ''),
    );
    return [...boundaries, null].map((upTo: Cursor | null, index) => ({ after: boundaries[index - 1] ?? null, upTo }));
  }, LIMIT);
}

/** The last key of each part but the last one, in order. */
function boundariesOf(facts: ColumnFacts, parts: number): string {
  const { keys, estimatedRows } = facts;
  const names = keys.map((_, index) => `k${index}`);
  const columns = keys.map(({ name }, index) => `t.${pg.escapeIdentifier(name)} AS k${index}`).join(', ');
  const share = estimatedRows === null ? 100 : Math.min(100, (100 * SAMPLED_ROWS) / Math.max(1, estimatedRows));
  const sample = share < 50 ? ` TABLESAMPLE SYSTEM (${share})` : '';
  const least = Math.max(1, Math.floor((ROWS_WORTH_A_PART * (sample === '' ? 100 : share)) / 100));
  return `WITH seen AS (SELECT ${columns} FROM ${tableOf(facts)} AS t${sample}),
    placed AS (SELECT ${names.join(', ')}, row_number() OVER (ORDER BY ${names.join(', ')}) AS place, count(*) OVER () AS total FROM seen),
    wanted AS (SELECT least(${parts}, greatest(1, coalesce(max(total), 0) / ${least})) AS parts, max(total) AS total FROM placed)
    SELECT ${names.map((name) => `${name}::text`).join(', ')} FROM placed, wanted
     WHERE place IN (SELECT wanted.total * part / wanted.parts FROM generate_series(1, wanted.parts - 1) part)
     ORDER BY place`;
}
