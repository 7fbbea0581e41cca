/** Re-encrypting rows, and reading them. Both keys come from the store; a row says itself which of them it is under. */
import { openReader, openReencryptor } from '../../ciphers/open-cipher.js';
import { formatMilliseconds } from '../../domain/durations.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { KeyRange } from '../../domain/key-range.js';
import type { PlannedColumn } from '../../domain/plan.js';
import { addCounts, describeCounts, NO_ROWS } from '../../domain/row-counts.js';
import { reencryptAtomically as inOneTransaction } from '../../reencryption/atomic.js';
import { census, type Census } from '../../reencryption/census.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import { splitTable } from '../../reencryption/split.js';
import { sweep, type SweepProgress } from '../../reencryption/sweep.js';
import { createThrottle } from '../../reencryption/throttle.js';
import type { ActivityTools } from '../as-activity.js';
import type { ActivityDeps } from '../deps.js';
import type { Direction, EncryptionHold, SweepReport } from '../encryption-activities.js';
import { openServer } from '../swap/open-swap.js';
import { keysInDirection, keysOf } from './keys.js';

/** Named in a message or a question; all are counted. */
const NAMED = 20;

/** What a heartbeat keeps, and the Temporal UI shows of an activity at work. */
interface Saved {
  readonly progress: string;
  readonly swept?: SweepProgress;
}

export async function reencryptAtomically(
  hold: EncryptionHold & { direction: Direction },
  deps: ActivityDeps,
  { signal, save }: ActivityTools,
): Promise<SweepReport> {
  const server = await openServer(hold.encryption, deps, signal);
  const keys = keysInDirection(await keysOf(hold, deps), hold.direction);
  const columns = [];
  for (const column of hold.encryption.columns) {
    const facts = await columnFacts({ server, column });
    const reencryptor = openReencryptor(column.format, keys);
    columns.push({ facts, reencryptor, reader: openReader(column.format, keys.to) });
  }
  const started = performance.now();
  const { columns: done } = await inOneTransaction({
    server,
    columns,
    onProgress: ({ column, counts }) => {
      save({ progress: `${column}: ${describeCounts(counts)}; not committed yet` } satisfies Saved);
    },
  });
  const took = formatMilliseconds(performance.now() - started);
  const lines = done.map(({ name, counts, verified }) => `${name}: ${describeCounts(counts)}; ${verified} verified`);
  return {
    summary: `${lines.join('; ')}; committed together in ${took}`,
    counts: done.reduce((sum, { counts }) => addCounts(sum, counts), NO_ROWS),
    unreadable: [],
  };
}

export async function splitRows(
  { encryption, column }: EncryptionHold & { column: PlannedColumn },
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<{ ranges: readonly KeyRange[] }> {
  const server = await openServer(encryption, deps, signal);
  const facts = await columnFacts({ server, column });
  return { ranges: await splitTable({ server, facts, parts: encryption.parallel }) };
}

export async function reencryptRows(
  hold: EncryptionHold & { column: PlannedColumn; range: KeyRange; direction: Direction },
  deps: ActivityDeps,
  { signal, save, saved }: ActivityTools,
): Promise<SweepReport> {
  const { encryption, column, range } = hold;
  const server = await openServer(encryption, deps, signal);
  const facts = await columnFacts({ server, column });
  const reencryptor = openReencryptor(column.format, keysInDirection(await keysOf(hold, deps), hold.direction));
  let last = (saved as Saved | undefined)?.swept;
  const tell = (held: string | null): void => {
    const of = facts.estimatedRows === null ? '' : ` of about ${Math.round(facts.estimatedRows)}`;
    const progress = `${describeCounts(last?.counts ?? NO_ROWS)}${of}${held === null ? '' : `; held back: ${held}`}`;
    save({ progress, ...(last ? { swept: last } : {}) } satisfies Saved);
  };
  const { counts, unreadable } = await sweep({
    server,
    facts,
    reencryptor,
    range,
    from: last ?? null,
    throttle: createThrottle({ spec: encryption.throttle, signal, onHeld: tell }),
    onProgress: (progress) => {
      last = progress;
      tell(null);
    },
  });
  return {
    summary: `${facts.name}: ${describeCounts(counts)}`,
    counts,
    unreadable: unreadable.slice(0, NAMED).map((row) => `${facts.name}: ${row}`),
  };
}

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
  const bad = found.filter(({ counts }) => count(counts) > 0);
  if (bad.length === 0) return;
  const said = bad.map(({ name, counts }) => `${count(counts)} rows of ${name} ${what}`).join('; ');
  const which = namesOf(bad);
  throw new KeyturnError('old-key-needed', which.length > 0 ? `${said}: ${which.join(', ')}` : said, {
    effect: 'none',
    hint: 'the old key is kept; find who still writes with it, then start a rotation of this key, which goes on from here',
  });
}

function namesOf(found: readonly Census[]): string[] {
  return found.flatMap(({ name, unreadable }) => unreadable.map((row) => `${name}: ${row}`)).slice(0, NAMED);
}
