/** The old role loses its log-in; whoever still needs it is found by being refused; then open sessions end. */
import type { LogPlaces, SwapHold } from '../../activities/swap-activities.js';
import { milliseconds } from '../../domain/durations.js';
import type { Evidence } from '../../domain/evidence.js';
import { ABORT, DROP_NOW, EXTEND } from '../../domain/messages.js';
import { effects, persistentEffects } from './activities.js';
import type { Run } from './run.js';
import { decideAbout, type Agreed } from './stragglers.js';
import type { Steering } from './steering.js';

/** What people have agreed to by now. */
export interface Leave {
  readonly agreed: Agreed;
  /** Somebody has decided that the role is dropped. */
  readonly decided: boolean;
}

/** NOLOGIN, which can be taken back; a while in which people may; then what is left is ended. */
export async function shutOut(
  run: Run<'disable' | 'observe' | 'terminate'>,
  steering: Steering,
  hold: SwapHold,
  { agreed, decided }: Leave,
): Promise<void> {
  const { taskQueue } = run.plan;
  let logs: LogPlaces = {};
  const disable = async (): Promise<Evidence> => {
    const { logs: places, ...evidence } = await effects('NOLOGIN for the old role', taskQueue).disableOldRole(hold);
    logs = places;
    return evidence;
  };
  await run.step('disable', disable, {
    undo: () => persistentEffects('Undo: LOGIN for the old role', taskQueue).enableOldRole(hold),
  });
  await run.step('observe', () => observe(run, steering, hold, { since: logs, byLeave: decided }));
  await run.step('terminate', async () => {
    // Who came in the moment between the look and NOLOGIN has not been decided about either.
    for (;;) {
      const found = await effects('Who is left', taskQueue).findSessions(hold);
      if (found.lines.length === 0 || found.key === agreed) break;
      if ((await decideAbout(run, steering, hold, 'terminate', found)) !== null) break;
    }
    return await effects('End the sessions that are left', taskQueue).terminateOldSessions(hold);
  });
}

/** After a leak: at once, and not to be taken back. */
export async function shutOutForGood(run: Run<'disable' | 'terminate'>, hold: SwapHold): Promise<void> {
  const { taskQueue } = run.plan;
  await run.step('disable', async () => {
    const { summary } = await persistentEffects('NOLOGIN for the old role', taskQueue).disableOldRole(hold);
    return { summary };
  });
  await run.step('terminate', () => persistentEffects('End its sessions', taskQueue).terminateOldSessions(hold));
}

async function observe(
  run: Run<'observe'>,
  steering: Steering,
  hold: SwapHold,
  { since, byLeave }: { since: LogPlaces; byLeave: boolean },
): Promise<Evidence> {
  const { board, plan } = run;
  // Cut short only by leave of a decision: whoever asked for the swap could drop alone otherwise.
  const allowed = byLeave ? ([EXTEND, DROP_NOW, ABORT] as const) : ([EXTEND, ABORT] as const);
  board.maySteer(allowed);
  try {
    await steering.until(Date.now() + milliseconds(hold.swap.observe), {
      allowed,
      summary: 'Watch for rejected log-ins',
      show: (until) => board.waitsUntil('The old role is shut out; whoever still needs it is refused now', until),
    });
  } finally {
    board.maySteer([]);
    board.waitsUntil(null);
  }
  const health = plan.services.flatMap((service) => service.health);
  const seen = await effects('Who was refused', plan.taskQueue).findRejected({ ...hold, since, health });
  const { summary, facts } = seen;
  if (seen.rejected === 0) return { summary, ...(facts ? { facts } : {}) };
  board.sees('observe', [summary]);
  const question = `${summary}: somebody still uses the old role. Drop it all the same?`;
  const decided = await run.decision('observe', 'rejected-logins', question, { denyOnExpiry: true });
  return { summary: `${summary}; ${decided ?? ''}`, ...(facts ? { facts } : {}) };
}
