/** Reading every row: what the end of a rotation rests on, whichever key is destroyed. */
import { openReader } from '../../ciphers/open-cipher.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { notProven, proven, type ProofEvidence } from '../../domain/proof.js';
import { census, type Census } from '../../reencryption/census.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import type { ActivityDeps } from '../deps.js';
import type { EncryptionHold } from '../encryption-activities.js';
import { inWords, remedyFor, tryElsewhere } from './elsewhere.js';
import { openTables } from './open-tables.js';
import { keysOf } from './keys.js';

/** Named in a message; all are counted. */
const NAMED = 20;

export async function readRows(
  hold: EncryptionHold,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence & { others: number; which: readonly string[] }> {
  const { fresh } = await keysOf(hold, deps);
  const found = await countAll(hold, { fresh }, deps, signal);
  const others = found.reduce((sum, { counts }) => sum + counts.unreadable, 0);
  const read = found.map(({ name, counts }) => `${name}: ${counts.new} of ${counts.rows - counts.empty} rows`);
  return { summary: `read under the new key alone: ${read.join('; ')}`, others, which: namesOf(found) };
}

/**
 * Immediately before the old key is destroyed. What could not be tried keeps nobody from going on, and the word "proven" from being said.
 *
 * The order counts: first that every row reads under the new key alone; then that none is left for
 * the old one; then that nothing else in the database is.
 */
export async function proveOldKeyUnused(
  hold: EncryptionHold,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<ProofEvidence> {
  const { old, fresh } = await keysOf(hold, deps);
  const underNew = await countAll(hold, { fresh }, deps, signal);
  refuse(underNew, ({ unreadable }) => unreadable, 'do not read under the new key');
  const underOld = await countAll(hold, { old }, deps, signal);
  refuse(underOld, (counts) => counts.old, 'read under the old key');
  const { encryption } = hold;
  const server = await openTables(encryption, deps, signal);
  const elsewhere = await tryElsewhere({ encryption, server, key: old }, 'atTheEnd');
  if (elsewhere.needed.length > 0) {
    throw new KeyturnError('old-key-needed', `the old key reads ${inWords(elsewhere.needed)}, which nothing declares`, {
      hint: `the old key is kept; ${remedyFor(elsewhere.needed)}; then start a rotation of this key, which goes on from here`,
    });
  }
  const read = underNew.map(({ name, counts }) => `${name}: ${counts.new} of ${counts.rows - counts.empty} rows`);
  const summary = `under the new key alone: ${read.join('; ')}; under the old one: none; ${elsewhere.summary}`;
  if (elsewhere.untried === null) return proven({ summary });
  return { summary, proof: notProven(`the old key was not tried on ${elsewhere.untried}`) };
}

export async function countAll(
  { encryption }: EncryptionHold,
  keys: { readonly old?: Buffer; readonly fresh?: Buffer },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Census[]> {
  const server = await openTables(encryption, deps, signal);
  const found: Census[] = [];
  for (const column of encryption.columns) {
    const facts = await columnFacts({ server, column });
    const readers = {
      old: keys.old ? openReader(column.format, keys.old) : null,
      new: keys.fresh ? openReader(column.format, keys.fresh) : null,
    };
    found.push(await census({ server, facts, readers, budget: null }));
  }
  return found;
}

function refuse(found: readonly Census[], count: (counts: Census['counts']) => number, what: string): void {
  const said = countedIn(found, count, what);
  if (said === null) return;
  const which = namesOf(found.filter(({ counts }) => count(counts) > 0));
  throw new KeyturnError('old-key-needed', which.length > 0 ? `${said}: ${which.join(', ')}` : said, {
    effect: 'none',
    hint: 'the old key is kept; find who still writes with it, then start a rotation of this key, which goes on from here',
  });
}

/** @returns null: there are none. */
export function countedIn(
  found: readonly Census[],
  count: (counts: Census['counts']) => number,
  what: string,
): string | null {
  const bad = found.filter(({ counts }) => count(counts) > 0);
  if (bad.length === 0) return null;
  return bad.map(({ name, counts }) => `${count(counts)} row(s) of ${name} ${what}`).join('; ');
}

function namesOf(found: readonly Census[]): string[] {
  return found.flatMap(({ name, unreadable }) => unreadable.map((row) => `${name}: ${row}`)).slice(0, NAMED);
}
