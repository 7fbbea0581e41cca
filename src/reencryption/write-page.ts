/** Writes fresh values over those that were read, wherever they still stand. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { pick } from './binary-array.js';
import type { PageStatements } from './page-statements.js';
import type { RawPage } from './read-pages.js';
import type { FreshValues } from './rewrite-page.js';

/** The parameters of an update, as PageStatements has them. */
export interface Batch {
  readonly rows: number;
  readonly parameters: readonly Buffer[];
  readonly places: Buffer | null;
}

/** The rows of a page that have a fresh value; null: none has. */
export function batchOf(page: RawPage, fresh: FreshValues | null): Batch | null {
  if (fresh === null) return null;
  const { rows, array } = fresh;
  // Where every row is rewritten, what came is sent back as it is.
  const chosen = (all: Buffer): Buffer => (rows === null ? all : pick(all, rows));
  const associated = page.associatedArray === null ? [] : [chosen(page.associatedArray)];
  return {
    rows: rows?.length ?? page.rows,
    parameters: [...page.keys.map(chosen), chosen(page.array), array, ...associated],
    places: page.places && chosen(page.places),
  };
}

/** Within a transaction that holds the table. @returns how many rows were written. */
export async function writeBatch(client: pg.Client, statements: PageStatements, batch: Batch): Promise<number> {
  let written = 0;
  for (const [text, values] of inTurn(statements, batch)) {
    if (written < batch.rows) written += await run(client, text, values);
  }
  return written;
}

/** Where the rows stood when they were read; then those that have moved, by their key. What is written no longer has its old value. */
function inTurn(
  { update, updateInPlace }: PageStatements,
  { parameters, places }: Batch,
): [text: string, values: readonly Buffer[]][] {
  const byKey: [string, readonly Buffer[]] = [update, parameters];
  return updateInPlace !== null && places ? [[updateInPlace, [...parameters, places]], byKey] : [byKey];
}

/** Rows a statement takes when some of the page are locked. */
const PIECE_ROWS = 250;
/** How long another's lock on the whole table is waited out, holding nothing meanwhile. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 500;

/**
 * Beside an application at work, on a connection with `limitLocks`: a statement is a transaction of its own. Rows that somebody
 * has locked are passed over. @returns how many rows were written.
 * @throws KeyturnError `table-locked` (retryable) when somebody holds the whole table for more than a minute.
 */
export async function writeBesideOthers(
  client: pg.Client,
  statements: PageStatements,
  batch: Batch,
  signal: AbortSignal,
): Promise<number> {
  let written = 0;
  let hindered = false;
  for (const [text, values] of inTurn(statements, batch)) {
    if (written === batch.rows || hindered) break;
    const outcome = await attempt(client, text, values);
    if (typeof outcome === 'number') written += outcome;
    else hindered = true;
  }
  if (!hindered) return written;
  const until = Date.now() + PATIENCE_MS;
  const pieces = slices(batch, PIECE_ROWS);
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    const outcome = await attempt(client, statements.updateUnlocked, piece.parameters);
    if (typeof outcome === 'number') {
      written += outcome;
    } else if (outcome === 'took too long' && piece.rows > 1) {
      pieces.unshift(...slices(piece, Math.ceil(piece.rows / 2)));
    } else if (outcome === 'table is locked') {
      if (Date.now() > until) {
        throw new KeyturnError('table-locked', 'somebody has held the table for more than a minute', {
          effect: 'applied',
          retryable: true,
          hint: 'look in pg_locks for who holds it: a migration, a VACUUM FULL, a LOCK TABLE',
        });
      }
      await sleep(PAUSE_MS, undefined, { signal });
      pieces.unshift(piece);
    }
    // A single row that takes too long is left as it is: it counts as changed, and the next sweep reads it anew.
  }
  return written;
}

type Hindrance = 'table is locked' | 'took too long';

/** What hinders is left for the caller; everything else is thrown. The statement has done nothing then. */
async function attempt(client: pg.Client, text: string, values: readonly Buffer[]): Promise<number | Hindrance> {
  try {
    return await run(client, text, values);
  } catch (error) {
    const { code } = error as { code?: unknown };
    // With SKIP LOCKED no row is waited for: what is not had in time is the table.
    if (code === '55P03') return 'table is locked';
    // Statement timeout; and a deadlock that the server has resolved at our expense, as it should.
    if (code === '57014' || code === '40P01') return 'took too long';
    throw error;
  }
}

async function run(client: pg.Client, text: string, values: readonly Buffer[]): Promise<number> {
  // Prepared once a connection, under a name that is its text's.
  const name = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const { rowCount } = await client.query({ name, text, values: [...values] });
  return rowCount ?? 0;
}

function slices(
  { rows, parameters }: Pick<Batch, 'rows' | 'parameters'>,
  size: number,
): Pick<Batch, 'rows' | 'parameters'>[] {
  return Array.from({ length: Math.ceil(rows / size) }, (_, index) => {
    const places = Array.from({ length: Math.min(size, rows - index * size) }, (__, place) => index * size + place);
    return { rows: places.length, parameters: parameters.map((array) => pick(array, places)) };
  });
}
