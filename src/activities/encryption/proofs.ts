/** Reading every row: what the end of a rotation rests on, whichever key is destroyed. */
import { openReader } from '../../ciphers/open-cipher.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { census, type Census } from '../../reencryption/census.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import { closeOff } from '../../reencryption/fence.js';
import { prepareSession } from '../../reencryption/session.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityDeps } from '../deps.js';
import type { EncryptionHold } from '../encryption-activities.js';
import { discardSecret } from '../secrets.js';
import { openServer } from '../swap/open-swap.js';
import { keysOf } from './keys.js';

/** Reading every row may take as long as re-encrypting them may. */
const LIMIT_MS = 24 * 3_600_000;
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

/** The order counts: first that every row reads under the new key alone; then that none is left for the old one. */
export async function proveOldKeyUnused(
  hold: EncryptionHold,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Evidence> {
  const { old, fresh } = await keysOf(hold, deps);
  const underNew = await countAll(hold, { fresh }, deps, signal);
  refuse(underNew, ({ unreadable }) => unreadable, 'do not read under the new key');
  const underOld = await countAll(hold, { old }, deps, signal);
  refuse(underOld, (counts) => counts.old, 'read under the old key');
  const read = underNew.map(({ name, counts }) => `${name}: ${counts.new} of ${counts.rows - counts.empty} rows`);
  return { summary: `under the new key alone: ${read.join('; ')}; under the old one: none` };
}

/**
 * Undo of staging, once rows may have been under the key. While every row is looked at and until the key is gone, nobody can write
 * towards it any more.
 */
export async function discardKey(hold: EncryptionHold, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const { rotation } = await openStore(hold.slot.store, deps).describe(hold.slot);
  // An earlier attempt has destroyed it.
  if (rotation !== hold.rotation) return discardSecret(hold, deps);
  const { fresh } = await keysOf(hold, deps);
  const server = await openServer(hold.encryption, deps, signal);
  return server.asAdministrator(
    async (guard) => {
      await prepareSession(guard);
      await closeOff(guard, hold.rotation);
      const found = await countAll(hold, { fresh }, deps, signal);
      const said = countedIn(found, (counts) => counts.new, 'read under the new key');
      if (said !== null) throw newKeyNeeded(said);
      // It ends with the connection, which was idle all the while.
      await guard.query('SELECT 1');
      return await discardSecret(hold, deps);
    },
    { limit: LIMIT_MS },
  );
}

async function countAll(
  { encryption }: EncryptionHold,
  keys: { readonly old?: Buffer; readonly fresh?: Buffer },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<Census[]> {
  const server = await openServer(encryption, deps, signal);
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
function countedIn(found: readonly Census[], count: (counts: Census['counts']) => number, what: string): string | null {
  const bad = found.filter(({ counts }) => count(counts) > 0);
  if (bad.length === 0) return null;
  return bad.map(({ name, counts }) => `${count(counts)} row(s) of ${name} ${what}`).join('; ');
}

function newKeyNeeded(said: string): KeyturnError {
  return new KeyturnError('new-key-needed', said, {
    hint: 'the new key is kept in the store; find who still writes with it, then start a rotation of this key, which goes on from here',
  });
}

function namesOf(found: readonly Census[]): string[] {
  return found.flatMap(({ name, unreadable }) => unreadable.map((row) => `${name}: ${row}`)).slice(0, NAMED);
}
