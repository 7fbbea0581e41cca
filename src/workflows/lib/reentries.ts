/** The wait for people who enter lost credentials again: a checklist that ticks itself, for as long as it takes. */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { RecoveryHold, Reentered } from '../../activities/recovery-activities.js';
import { milliseconds } from '../../domain/durations.js';
import type { Evidence } from '../../domain/evidence.js';
import { formatRef } from '../../domain/refs.js';
import { effects, recurringEffects } from './activities.js';
import { endsRun, reasonOf, Rejected } from './failures.js';
import type { Run } from './run.js';

/** The first changes are shown as they come; after that ever less often, since each costs some six events of history. */
const PROMPT_REPORTS = 50;
const TITLE = 'To be entered again';
const LONGEST_QUIET_MS = 3_600_000;

/**
 * Past the point of no return. People may end it early: what is not entered by then is left to them.
 * @returns how far they have come.
 */
export async function awaitReentries(run: Run<'reenter'>, hold: RecoveryHold): Promise<Reentered> {
  const { plan, board } = run;
  const key = 'reenter';
  let reached!: Reentered;
  await run.step(key, async (): Promise<Evidence> => {
    reached = await effects('What is to be entered again', plan.taskQueue).findReentries(hold);
    if (reached.entered === reached.quarantined) return reached;
    const watch = watchReentries(run, hold, key, reached);
    board.sees(key, reached.lines, TITLE);
    try {
      const question = questionOf(run, hold, reached);
      const ended = await decided(run, key, question, () => watch.last().entered === watch.last().quarantined);
      reached = watch.last();
      const facts = reached.facts ? { facts: reached.facts } : {};
      if (ended === null) return { summary: reached.summary, ...facts };
      if (reached.entered < reached.quarantined) run.leaves(`enter again: ${restOf(hold, reached)}`);
      return { summary: `${reached.summary}; ended early: ${ended}`, ...facts };
    } finally {
      await watch.stop();
    }
  });
  return reached;
}

function questionOf({ plan }: Run, { recovery }: RecoveryHold, { quarantined, places }: Reentered): string {
  const rows = `${quarantined} row(s) of ${formatRef(plan.ref)} are in quarantine (${places.join(', ')})`;
  const then =
    recovery.unreadable === 'truncate' ? ' Either way the quarantine is destroyed then, with all its rows.' : '';
  return `${rows} and are to be entered again; the run goes on by itself once all are. Approve to go on without the rest.${then}`;
}

/** By name. What a list has no room for can be looked up in the quarantine, or in the names that are kept of it. */
function restOf({ recovery }: RecoveryHold, { quarantined, entered, missing, places, lists }: Reentered): string {
  const unlisted = quarantined - entered - missing.length;
  const destroyed = recovery.unreadable === 'truncate';
  const more = destroyed ? `; and ${unlisted} more (their names: ${lists.join(', ')})` : `; and ${unlisted} more`;
  return `${missing.join('; ')}${unlisted > 0 ? more : ''}${destroyed ? '' : ` (as they were: ${places.join(', ')})`}`;
}

/** A no, and a deadline that passes, mean that the wait goes on. @returns who ended it; null: there is nothing left to wait for. */
async function decided<K extends string>(
  run: Run<K>,
  key: K,
  question: string,
  moot: () => boolean,
): Promise<string | null> {
  for (;;) {
    try {
      return await run.decision(key, 'reentry', question, {
        moot,
        denyOnExpiry: true,
        afterDenial: 'the wait goes on',
      });
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
    }
  }
}

interface Watch {
  last(): Reentered;
  stop(): Promise<void>;
}

function watchReentries(run: Run, hold: RecoveryHold, key: string, first: Reentered): Watch {
  const { watchEvery } = hold.recovery;
  const every = milliseconds(watchEvery);
  const scope = new CancellationScope();
  const ask = recurringEffects(`What has been entered again, every ${watchEvery}`, run.plan.taskQueue, watchEvery);
  let last = first;
  const ended = scope
    .run(async () => {
      for (let reports = 0; last.entered < last.quarantined; reports += 1) {
        const quiet = Math.min(LONGEST_QUIET_MS, Math.max(0, reports - PROMPT_REPORTS) * every);
        try {
          last = await ask.awaitReentries({ ...hold, known: last.key, quiet });
          run.board.sees(key, last.lines);
        } catch (error) {
          if (isCancellation(error) || !endsRun(error)) throw error;
          // The wait goes on all the same: somebody may mend what is in the watch's way.
          run.board.sees(key, [`what has been entered cannot be asked now: ${reasonOf(error)}`, ...last.lines]);
          await sleep(Math.max(60_000, every));
        }
      }
    })
    .catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  return {
    last: () => last,
    stop: async () => {
      scope.cancel();
      await ended;
    },
  };
}
