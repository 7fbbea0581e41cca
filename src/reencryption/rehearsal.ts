/**
 * Before a sweep commits anything: some rows are written and taken back, to see that the table keeps what is written. A trigger or a
 * rule that rewrites values would otherwise overwrite one row after the other with what no key reads; in one transaction
 * (atomic.ts) the verification of every row finds that in time, here nothing would.
 */
import type pg from 'pg';
import type { Reencryptor } from '../ciphers/cipher.js';
import type { Server } from '../databases/server.js';
import { KeyturnError } from '../domain/errors.js';
import { parseArray } from './binary-array.js';
import type { ColumnFacts } from './column-facts.js';
import type { Cursor, KeyRange } from './key-range.js';
import { pageStatements } from './page-statements.js';
import { readPages, type RawPage } from './read-pages.js';
import { rewritePage, type FreshValues } from './rewrite-page.js';
import { limitLocks, prepareSession } from './session.js';
import { batchOf, type Batch } from './write-page.js';

export interface RehearsalOptions {
  readonly server: Server;
  readonly facts: ColumnFacts;
  readonly reencryptor: Reencryptor;
  readonly range: KeyRange;
}

const ROWS = 50;
/** Where the first pages need nothing, a sweep before this one has been there. */
const PAGES = 4;
/** A lock not had in time, a statement that takes too long, a deadlock: the application comes first. */
const BUSY = new Set(['55P03', '57014', '40P01']);

/** Changes nothing. @throws KeyturnError `not-verified`, and as Server for what a constraint or a trigger refuses. */
export async function rehearse({ server, facts, reencryptor, range }: RehearsalOptions): Promise<void> {
  await server.asWorker(async (client) => {
    await prepareSession(client);
    await limitLocks(client);
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    try {
      await rehearseOn(client, { facts, reencryptor, range });
    } catch (error) {
      if (!BUSY.has(String((error as { code?: unknown }).code))) throw error;
    }
    await client.query('ROLLBACK');
  });
}

async function rehearseOn(
  client: pg.Client,
  { facts, reencryptor, range }: Omit<RehearsalOptions, 'server'>,
): Promise<void> {
  const found = await firstToWrite(client, facts, reencryptor, range);
  if (!found) return;
  const { batch, fresh, page, after } = found;
  const { rowCount } = await client.query(pageStatements(facts).updateUnlocked, [...batch.parameters]);
  // What would have been said at the commit.
  await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  const written = rowCount ?? 0;
  const kept = await countKept(client, facts, { fresh, range: { after, upTo: page.cursor } });
  if (kept >= written) return;
  throw new KeyturnError(
    'not-verified',
    `${facts.name}: of ${written} row(s) written to try it, ${written - kept} did not keep what was written`,
    { hint: 'nothing was changed; look for triggers and rules on the table that rewrite values' },
  );
}

interface ToWrite {
  readonly page: RawPage;
  readonly batch: Batch;
  readonly fresh: FreshValues;
  /** Where the page begins. */
  readonly after: Cursor | null;
}

async function firstToWrite(
  client: pg.Client,
  facts: ColumnFacts,
  reencryptor: Reencryptor,
  range: KeyRange,
): Promise<ToWrite | null> {
  let { after } = range;
  let pages = 0;
  for await (const page of readPages(client, { facts, range, after, pageRows: ROWS })) {
    const { fresh } = rewritePage(reencryptor, page);
    const batch = batchOf(page, fresh);
    if (batch && fresh) return { page, batch, fresh, after };
    after = page.cursor;
    pages += 1;
    if (pages === PAGES) return null;
  }
  return null;
}

/** Rows that have the very bytes that were made for them. */
async function countKept(
  client: pg.Client,
  facts: ColumnFacts,
  { fresh, range }: { fresh: FreshValues; range: KeyRange },
): Promise<number> {
  // No two are alike: each has random bytes of its own.
  const made = new Set(parseArray(fresh.array).elements.map((value) => value?.toString('base64')));
  let kept = 0;
  for await (const { values } of readPages(client, { facts, range, after: null }))
    kept += values.filter((value) => value !== null && made.has(value.toString('base64'))).length;
  return kept;
}
