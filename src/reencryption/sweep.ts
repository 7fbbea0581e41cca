/**
 * One pass over a column, or over a range of its key, beside an application at work: pages in key order, each re-encrypted and
 * written by compare-and-swap in a transaction of its own (READ COMMITTED). A row that somebody else changes or holds meanwhile is
 * left alone and counted; the next sweep reads it anew. So it does with a row that was written behind the sweep's back.
 */
import type pg from 'pg';
import type { Reencryptor } from '../ciphers/cipher.js';
import type { Server } from '../databases/server.js';
import { addCounts, NO_ROWS, type RowCounts } from '../domain/row-counts.js';
import type { ColumnFacts } from './column-facts.js';
import { WHOLE_TABLE, type Cursor, type KeyRange } from './key-range.js';
import { countsOf, unreadablePlaces } from './page-outcome.js';
import { pageStatements } from './page-statements.js';
import { reencryptPages } from './pipeline.js';
import { readPages, type RawPage } from './read-pages.js';
import type { RewrittenPage } from './rewrite-page.js';
import { describeRows, LISTED_ROWS } from './row-keys.js';
import { limitLocks, prepareSession } from './session.js';
import type { Throttle } from './throttle.js';
import { batchOf, writeBesideOthers } from './write-page.js';

/** Plain data, for a heartbeat: what another attempt goes on from. Holds no values, but keys of rows. */
export interface SweepProgress {
  /** null: nothing is done yet. */
  readonly after: Cursor | null;
  readonly done: boolean;
  readonly counts: RowCounts;
  /** Primary keys of the first 1,000 unreadable rows, `tenant=3, id=42`. All are counted. */
  readonly unreadable: readonly string[];
}

export const NOTHING_SWEPT: SweepProgress = { after: null, done: false, counts: NO_ROWS, unreadable: [] };

export interface SweepOptions {
  readonly server: Server;
  readonly facts: ColumnFacts;
  readonly reencryptor: Reencryptor;
  /** Default: the whole table. */
  readonly range?: KeyRange;
  /** What an earlier attempt at the same range saved last; it is gone on from there, counts included. */
  readonly from?: SweepProgress | null;
  /** After each committed page, in order. */
  readonly onProgress?: (progress: SweepProgress) => void;
  /** Default: as fast as it can. */
  readonly throttle?: Throttle;
  /** Rows of a page at most; fewer where values are long. Default: 1,000. */
  readonly pageRows?: number;
  /** Milliseconds for all of it. Default: 24 h. */
  readonly limit?: number;
}

const LIMIT_MS = 24 * 3_600_000;

/**
 * Idempotent: what is new already is counted and left alone. When it is cut short, a page may have been committed that the last
 * progress does not tell of; its rows are then found to be new.
 * @throws KeyturnError as Server (`effect` tells whether anything was written), `table-locked`; when the server's signal aborts,
 * its reason.
 */
export async function sweep(options: SweepOptions): Promise<SweepProgress> {
  const { server, limit = LIMIT_MS } = options;
  const begun = options.from ?? NOTHING_SWEPT;
  if (begun.done) return begun;
  let wrote = begun.counts.reencrypted > 0;
  const where = { limit, effect: () => (wrote ? 'applied' : 'none') } as const;
  // Two connections: one reads ahead while the other writes. Who else is at work only the administrator sees.
  return server.asWorker(async (reader) => {
    await prepareSession(reader);
    return server.asWorker(async (writer) => {
      await prepareSession(writer);
      await limitLocks(writer);
      const all = { reader, writer, onWrite: () => (wrote = true) };
      if (!options.throttle) return pass(options, begun, { ...all, watcher: writer });
      return server.asAdministrator(async (watcher) => {
        await prepareSession(watcher);
        return pass(options, begun, { ...all, watcher });
      }, where);
    }, where);
  }, where);
}

interface Connections {
  readonly reader: pg.Client;
  readonly writer: pg.Client;
  /** Asks how busy the server is. */
  readonly watcher: pg.Client;
  readonly onWrite: () => void;
}

async function pass(
  options: SweepOptions,
  begun: SweepProgress,
  { reader, writer, watcher, onWrite }: Connections,
): Promise<SweepProgress> {
  const { facts, reencryptor, throttle, onProgress = () => undefined, server, range = WHOLE_TABLE, pageRows } = options;
  const statements = pageStatements(facts);
  let progress = begun;
  const settle = async (page: RawPage, { states, fresh }: RewrittenPage): Promise<void> => {
    const started = performance.now();
    const batch = batchOf(page, fresh);
    if (batch) onWrite();
    const written = batch ? await writeBesideOthers(writer, statements, batch, server.signal) : 0;
    const listed = unreadablePlaces(states, LISTED_ROWS - progress.unreadable.length);
    progress = {
      after: page.cursor,
      done: false,
      counts: addCounts(progress.counts, countsOf(states, written)),
      unreadable: [...progress.unreadable, ...(await describeRows(writer, facts, page, listed))],
    };
    onProgress(progress);
    await throttle?.hold(watcher, performance.now() - started);
  };
  await reencryptPages(readPages(reader, { facts, range, after: begun.after, pageRows }), reencryptor, settle);
  progress = { ...progress, done: true };
  onProgress(progress);
  return progress;
}
