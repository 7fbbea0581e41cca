/**
 * `swapDatabaseCredential` with the strategy `same-role`: a new password in place, for applications whose user name is fixed
 * (document 000's DB_PASSWORD, document 002's leaked password) and for a bootstrap superuser, which cannot be dropped.
 *
 * A server knows one password a role. So between the new password and the deploy, new connections with the old one are
 * refused; those that are open go on. The deploy follows at once, and the sessions of the old password are ended at the end.
 */
import { isExposed } from '../domain/reason.js';
import { formatRef } from '../domain/refs.js';
import type { KeyOf } from '../domain/steps.js';
import type { PASSWORD_STEPS, SwapPlan } from '../runbooks/database-swap/steps.js';
import { effects, longEffects, persistentEffects } from './lib/activities.js';
import { proveOldDead } from './lib/proving.js';
import { rollOut, undoesRollOut } from './lib/rollout.js';
import type { Run } from './lib/run.js';
import { beginSwap, mayChange, type Company } from './lib/swap-steps.js';
import { verifyAndWatch } from './lib/verification.js';

type PasswordRun = Run<KeyOf<typeof PASSWORD_STEPS>>;

export async function changePassword(run: PasswordRun, plan: SwapPlan, { steering, follower }: Company): Promise<void> {
  const { taskQueue } = plan;
  const { hold, takenOver } = await beginSwap(run, plan.swap);
  let changedAt: string | null = null;
  // After the store: a service that restarts by itself in between finds the value that is about to be right.
  const beforeDeploy = async (to: 'new' | 'old'): Promise<void> => {
    const call = to === 'new' ? effects : persistentEffects;
    changedAt = (await call(`Server: the ${to} password`, taskQueue).changePassword({ ...hold, to })).at;
  };
  const options = { from: 'old only', hold, beforeDeploy } as const;
  // An earlier run may have come further than this one will, or ended on its way back before the server had the old password again.
  if (takenOver) undoesRollOut(run, 'switch', options);
  await mayChange(run);
  const endSessions = () =>
    run.step('terminate', () =>
      persistentEffects('End the sessions of the old password', taskQueue).terminateOldSessions({
        ...hold,
        startedBefore: changedAt,
      }),
    );
  const exposed = isExposed(plan.reason);
  await rollOut(run, 'switch', 'new only', { ...options, keepsLock: !exposed });
  // Whoever came in by a password that others may have is out before anything else is looked at.
  if (exposed) await endSessions();
  await verifyAndWatch(run);
  if (!exposed) {
    await follower.everybodyIsWell(run, steering);
    await run.gate('approve-drop', `End the sessions of ${formatRef(plan.ref)}'s old password, and forget it?`);
    await endSessions();
  }
  await proveOldDead(run, () =>
    longEffects('Prove that the old password is refused', taskQueue).proveOldLoginRefused(hold),
  );
  await run.step('forget', () => persistentEffects('Destroy the old password', taskQueue).forgetPrevious(hold));
}
