/** Re-encrypting rows. Both keys come from the store; a row says itself which of them it is under. */
import { openReader, openReencryptor } from '../../ciphers/open-cipher.js';
import { formatMilliseconds } from '../../domain/durations.js';
import type { KeyRange } from '../../domain/key-range.js';
import type { PlannedColumn } from '../../domain/plan.js';
import { addCounts, describeCounts, NO_ROWS } from '../../domain/row-counts.js';
import { reencryptAtomically as inOneTransaction } from '../../reencryption/atomic.js';
import { columnFacts } from '../../reencryption/column-facts.js';
import { rehearse } from '../../reencryption/rehearsal.js';
import { splitTable } from '../../reencryption/split.js';
import { sweep, type SweepProgress } from '../../reencryption/sweep.js';
import { createThrottle } from '../../reencryption/throttle.js';
import type { ActivityTools } from '../as-activity.js';
import type { ActivityDeps } from '../deps.js';
import type { Direction, EncryptionHold, SweepReport } from '../encryption-activities.js';
import { openTables } from './open-tables.js';
import { openFenced } from './fenced.js';
import { keysInDirection, keysOf } from './keys.js';

/** Named in a question; all are counted. */
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
  const server = await openFenced(hold, deps, { signal, alone: true });
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
  const server = await openTables(encryption, deps, signal);
  const facts = await columnFacts({ server, column });
  return { ranges: await splitTable({ server, facts, parts: encryption.parallel }) };
}

export async function reencryptRows(
  hold: EncryptionHold & { column: PlannedColumn; range: KeyRange; direction: Direction },
  deps: ActivityDeps,
  { signal, save, saved }: ActivityTools,
): Promise<SweepReport> {
  const { encryption, column, range } = hold;
  // Other parts of the table are at work beside this one.
  const server = await openFenced(hold, deps, { signal, alone: false });
  const facts = await columnFacts({ server, column });
  const reencryptor = openReencryptor(column.format, keysInDirection(await keysOf(hold, deps), hold.direction));
  let last = (saved as Saved | undefined)?.swept;
  const tell = (held: string | null): void => {
    const of = facts.estimatedRows === null ? '' : ` of about ${Math.round(facts.estimatedRows)}`;
    const progress = `${describeCounts(last?.counts ?? NO_ROWS)}${of}${held === null ? '' : `; held back: ${held}`}`;
    save({ progress, ...(last ? { swept: last } : {}) } satisfies Saved);
  };
  // An attempt that goes on has seen that the table keeps what is written.
  if (!last) await rehearse({ server, facts, reencryptor, range });
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
