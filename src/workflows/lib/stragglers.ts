/** The question whether anybody is still on the old role, and what people decide about those who are. */
import type { Adoption, SwapHold } from '../../activities/swap-activities.js';
import { formatMilliseconds } from '../../domain/durations.js';
import type { Evidence } from '../../domain/evidence.js';
import { ABORT, DROP_NOW, EXTEND } from '../../domain/messages.js';
import { formatRef } from '../../domain/refs.js';
import { delayOf } from '../../runbooks/database-swap/steps.js';
import { effects } from './activities.js';
import { Aborted } from './failures.js';
import { watchAdoption } from './old-role.js';
import type { Run } from './run.js';
import type { Steering } from './steering.js';

/** Whose sessions may be ended: Adoption.key of those that people decided about. */
export type Agreed = string | null;

/**
 * Nobody may be on the old role. If somebody is: named, and people decide to end them, wait on, or go back.
 * @param agreed whom they have decided about already. @returns whom by now.
 */
export async function seeNobodyIsLeft(
  run: Run<'stragglers'>,
  steering: Steering,
  hold: SwapHold,
  agreed: Agreed,
): Promise<Agreed> {
  let key = agreed;
  await run.step('stragglers', async (): Promise<Evidence> => {
    for (;;) {
      const found = await effects('Who is on the old role', run.plan.taskQueue).findSessions(hold);
      if (found.lines.length === 0) return { summary: 'nobody is on the old role' };
      if (found.key === key) return { summary: `${found.lines.join('; ')}: to be ended, as decided` };
      const decided = await decideAbout(run, steering, hold, 'stragglers', found);
      if (decided === null) continue;
      key = found.key;
      return { summary: `${found.lines.join('; ')}: to be ended, ${decided}` };
    }
  });
  return key;
}

/** @param step that waits. @returns who wants them ended; null: look again. @throws Aborted to go back, Rejected when nobody decides. */
export async function decideAbout<K extends string>(
  run: Run<K>,
  steering: Steering,
  hold: SwapHold,
  step: K,
  found: Adoption,
): Promise<string | null> {
  const { board, plan } = run;
  const wait = steering.listen([EXTEND, ABORT]);
  const watch = watchAdoption(run, hold, step, delayOf(hold.swap), found);
  board.sees(step, found.lines);
  board.maySteer([EXTEND, ABORT]);
  let decided: string | null;
  try {
    const these = found.lines.length === 1 ? 'this' : 'these';
    const question = `The old role of ${formatRef(plan.ref)} is still in use: end ${these}, and drop it? ${found.lines.join('; ')}`;
    decided = await run.decision(step, 'stragglers', question.slice(0, 1_500), {
      moot: () => wait.asked !== null || watch.last()?.lines.length === 0,
      denyOnExpiry: true,
    });
  } finally {
    steering.close();
    board.maySteer([]);
    await watch.stop();
  }
  const { asked } = wait;
  if (asked?.steer === ABORT) throw new Aborted(`aborted by ${asked.by}`);
  if (asked) await waitOn(run, steering, asked.longer);
  return decided;
}

/** Cutting it short drops nothing: the question is asked again. */
async function waitOn(run: Run, steering: Steering, longer: number): Promise<void> {
  const { board } = run;
  const allowed = [EXTEND, DROP_NOW, ABORT] as const;
  board.maySteer(allowed);
  try {
    await steering.until(Date.now() + longer, {
      allowed,
      summary: `Wait on for ${formatMilliseconds(longer)}`,
      show: (until) => board.waitsUntil('Waits on for those who are still on the old role', until),
    });
  } finally {
    board.maySteer([]);
    board.waitsUntil(null);
  }
}
