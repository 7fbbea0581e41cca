/** Rows from one key to the other while the application runs: sweep after sweep, until one finds nothing left to do. */
import type { Direction, EncryptionHold } from '../../activities/encryption-activities.js';
import type { Evidence } from '../../domain/evidence.js';
import { WHOLE_TABLE } from '../../domain/key-range.js';
import { nameOfColumn } from '../../runbooks/encryption/steps.js';
import { isExposed } from '../../domain/reason.js';
import { addCounts, describeCounts, NO_ROWS, type RowCounts } from '../../domain/row-counts.js';
import { effects, sweepEffects } from './activities.js';
import { answer } from './failures.js';
import type { Run } from './run.js';
import { together } from './together.js';

/** What one sweep found. */
export interface Swept {
  readonly counts: RowCounts;
  /** The first of them. */
  readonly unreadable: readonly string[];
}

/** Sweeps in a row that found rows under the old key before people are asked: then somebody still writes with it. */
const PATIENCE = 20;
/** From the third sweep on they are a while apart: what is written meanwhile is found all the same. */
const PAUSE_MS = 10_000;
/** A question shows so many rows; the evidence and the worker's log have more. */
const SHOWN = 10;

/** Once through all columns. A large table is shared by as many activities as the plan says, so by as many workers. */
export async function sweep(hold: EncryptionHold, direction: Direction, taskQueue: string): Promise<Swept> {
  const found: Swept[] = [];
  for (const column of hold.encryption.columns) {
    const name = nameOfColumn(column);
    const ranges = await rangesOf(hold, column, taskQueue);
    const reports = await together(
      ranges.map((range, index) => () => {
        const part = ranges.length > 1 ? `, part ${index + 1} of ${ranges.length}` : '';
        const call = sweepEffects(`${name} ${direction}${part}`, taskQueue);
        return call.reencryptRows({ ...hold, column, range, direction });
      }),
    );
    found.push(...reports);
  }
  return {
    counts: found.reduce((sum, { counts }) => addCounts(sum, counts), NO_ROWS),
    unreadable: found.flatMap(({ unreadable }) => unreadable),
  };
}

export interface SweepOptions {
  readonly direction: Direction;
  /**
   * A row that neither key reads. `ask`: people mend it, and say when to look again. `tell`: it was so before, and stays so.
   * `refuse`: it fails the step.
   */
  readonly unreadable: 'ask' | 'tell' | 'refuse';
  /** Whether people may say that a writer of the other key is found, and go on; else the step fails. */
  readonly writers: 'ask' | 'refuse';
}

/** Within a step. @throws Rejected when people want to go back; `unreadable-rows`, `old-key-needed`. */
export async function sweepUntilDone<K extends string>(
  run: Run<K>,
  step: K,
  hold: EncryptionHold,
  options: SweepOptions,
): Promise<Evidence> {
  let reencrypted = 0;
  for (let sweeps = 1; ; sweeps++) {
    const { counts, unreadable } = await sweep(hold, options.direction, run.plan.taskQueue);
    reencrypted += counts.reencrypted;
    if (counts.reencrypted + counts.changed > 0) {
      if (sweeps % PATIENCE === 0) await stillWritten(run, step, counts, options);
      else if (sweeps > 2) await run.pause('Until the next sweep', PAUSE_MS);
    } else if (counts.unreadable > 0 && options.unreadable !== 'tell') {
      await cannotBeRead(run, step, { count: counts.unreadable, which: unreadable }, options);
    } else {
      const summary = `${reencrypted} re-encrypted in ${sweeps} sweep(s); the last: ${describeCounts(counts)}`;
      const { read, empty } = counts;
      return { summary, facts: { sweeps, reencrypted, rows: read, empty, unreadable: counts.unreadable } };
    }
  }
}

async function rangesOf(
  hold: EncryptionHold,
  column: EncryptionHold['encryption']['columns'][number],
  taskQueue: string,
): Promise<readonly (typeof WHOLE_TABLE)[]> {
  if (hold.encryption.parallel === 1) return [WHOLE_TABLE];
  return (await effects(`Split ${nameOfColumn(column)}`, taskQueue).splitRows({ ...hold, column })).ranges;
}

async function cannotBeRead<K extends string>(
  run: Run<K>,
  step: K,
  { count, which }: { count: number; which: readonly string[] },
  options: SweepOptions,
): Promise<void> {
  const rows = `${count} row(s) can be read with neither key: ${which.slice(0, SHOWN).join(', ')}${count > SHOWN ? ', …' : ''}`;
  if (options.unreadable !== 'ask') throw answer('unreadable-rows', `${rows}; the old key is kept for them`);
  const question = `${rows}. They are not touched, and the old key is kept for them. Enter them anew or remove them, then approve to look again; reject ${afterNo(run)}.`;
  await run.decision(step, 'unreadable', question, { denyOnExpiry: true });
}

async function stillWritten<K extends string>(
  run: Run<K>,
  step: K,
  counts: RowCounts,
  options: SweepOptions,
): Promise<void> {
  const rows = `after ${PATIENCE} more sweeps rows are still written with the other key (${counts.reencrypted + counts.changed} in the last one): some program has not taken over the key that the store shows`;
  if (options.writers !== 'ask') throw answer('old-key-needed', rows);
  const question = `Keyturn sees that ${rows}. Find it and restart it, then approve to go on sweeping; reject ${afterNo(run)}.`;
  await run.decision(step, 'writers', question, { denyOnExpiry: true });
}

/** Services do not go back to a key that others may have: it is kept for the rows that need it, and people go on. */
function afterNo({ plan }: Run): string {
  return isExposed(plan.reason) ? 'to stop here with both keys kept' : 'to go back to the old key';
}
