/** The wait in which an old database role is kept, and the watch over who still uses it. */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { Adoption, SwapHold } from '../../activities/swap-activities.js';
import type { Evidence } from '../../domain/evidence.js';
import { milliseconds } from '../../domain/durations.js';
import { ABORT, DROP_NOW, EXTEND } from '../../domain/messages.js';
import { recurringEffects } from './activities.js';
import { endsRun, reasonOf } from './failures.js';
import type { Run } from './run.js';
import type { Steering } from './steering.js';

/** The first answers are shown as they come; after that at most so many a wait, since each costs some six events of history. */
const PROMPT_REPORTS = 3;
const LATER_REPORTS = 12;

/**
 * Keeps the old role until `deadline` (milliseconds, workflow time): a Temporal timer, so the server's clock counts, and neither
 * a worker's deploy nor a restart moves it. Meanwhile it is asked who still uses the role.
 * @returns true when somebody wanted it over early: then a decision is due, whatever the policy says.
 */
export async function keepOldRole(
  run: Run<'delay'>,
  steering: Steering,
  hold: SwapHold,
  deadline: number,
): Promise<boolean> {
  const { board } = run;
  let early = false;
  await run.step('delay', async (): Promise<Evidence> => {
    const watch = watchAdoption(run, hold, 'delay', Math.max(0, deadline - Date.now()));
    try {
      board.maySteer([EXTEND, DROP_NOW, ABORT]);
      const ended = await steering.until(deadline, {
        allowed: [EXTEND, DROP_NOW, ABORT],
        summary: 'Keep the old role',
        show: (until) =>
          board.waitsUntil('The old role is kept until then; it is dropped after that, once nobody is on it', until),
      });
      early = ended.by !== null;
      const seen = watch.last();
      const who = seen && seen.lines.length > 0 ? `; last seen on it: ${seen.lines.join('; ')}` : '';
      return { summary: `${early ? `ended early by ${ended.by ?? ''}` : `kept for ${hold.swap.delay}`}${who}` };
    } finally {
      board.maySteer([]);
      board.waitsUntil(null);
      await watch.stop();
    }
  });
  return early;
}

/** Twelve reports a wait; a wait that is extended again and again reports ever less often. */
function pauseAfter(reports: number, span: number): number {
  return (span / LATER_REPORTS) * 2 ** Math.floor(reports / LATER_REPORTS);
}

export interface Watch {
  last(): Adoption | null;
  stop(): Promise<void>;
}

/** Beside the wait: shows under the step who is on the old role, as often as that changes. */
export function watchAdoption(
  run: Run,
  hold: SwapHold,
  key: string,
  span: number,
  first: Adoption | null = null,
): Watch {
  const { watchEvery } = hold.swap;
  const scope = new CancellationScope();
  let last = first;
  const ask = recurringEffects(`Who is on the old role, every ${watchEvery}`, run.plan.taskQueue, watchEvery);
  const ended = scope
    .run(async () => {
      for (let reports = 0; ; reports += 1) {
        const quiet = reports < PROMPT_REPORTS ? 0 : pauseAfter(reports, span);
        try {
          last = await ask.awaitAdoption({ ...hold, known: last?.key ?? null, quiet });
          run.board.sees(key, last.lines.length > 0 ? last.lines : ['nobody is on the old role']);
        } catch (error) {
          if (isCancellation(error) || !endsRun(error)) throw error;
          // The wait goes on all the same, and so does the watch: somebody may mend what is in its way.
          run.board.sees(key, [`who is on the old role cannot be asked now: ${reasonOf(error)}`]);
          await sleep(Math.max(pauseAfter(reports, span), milliseconds(watchEvery)));
        }
      }
    })
    // It only ends by being stopped.
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
