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
const LONGEST_QUIET_MS = 3_600_000;

/** Past the point of no return. People may end it early: what is not entered by then is left to them. */
export async function awaitReentries(run: Run, hold: RecoveryHold): Promise<void> {
  const { plan, board } = run;
  const key = 'reenter';
  await run.step(key, async (): Promise<Evidence> => {
    const first = await effects('What is to be entered again', plan.taskQueue).findReentries(hold);
    if (first.entered === first.quarantined) return first;
    const watch = watchReentries(run, hold, key, first);
    board.sees(key, first.lines);
    try {
      const question = `${first.quarantined} row(s) of ${formatRef(plan.ref)} are in quarantine (${first.places.join(', ')}) and are to be entered again; the run goes on by itself once all are. Approve to go on without the rest.`;
      const ended = await decided(run, key, question, () => watch.last().entered === watch.last().quarantined);
      const last = watch.last();
      if (ended === null) return { summary: last.summary, ...(last.facts ? { facts: last.facts } : {}) };
      if (last.entered < last.quarantined) {
        const unlisted = last.quarantined - last.entered - last.missing.length;
        const rest = `${last.missing.join('; ')}${unlisted > 0 ? `; and ${unlisted} more` : ''}`;
        run.leaves(`enter again: ${rest} (as they were: ${last.places.join(', ')})`);
      }
      return { summary: `${last.summary}; ended early: ${ended}`, ...(last.facts ? { facts: last.facts } : {}) };
    } finally {
      await watch.stop();
    }
  });
}

/** A no, and a deadline that passes, mean that the wait goes on. @returns who ended it; null: there is nothing left to wait for. */
async function decided(run: Run, key: string, question: string, moot: () => boolean): Promise<string | null> {
  for (;;) {
    try {
      return await run.decision(key, 'reentry', question, { moot, denyOnExpiry: true });
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
