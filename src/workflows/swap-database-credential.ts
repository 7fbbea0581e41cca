/**
 * `swapDatabaseCredential`: a database credential is replaced by a new role, in waves, and the old role is dropped a day later.
 * Sources: documents 003 (create with the same grants, staging, production, drop after 24 h), 001 (create, test, deploy, health,
 * revoke), 000 and 002 (a password in place: change-password.ts). runbooks/database-swap/steps.ts has these steps.
 */
import type { SwapHold } from '../activities/swap-activities.js';
import type { RotationPlan } from '../domain/plan.js';
import { isExposed } from '../domain/reason.js';
import { formatRef } from '../domain/refs.js';
import type { RotationReport } from '../domain/report.js';
import type { KeyOf } from '../domain/steps.js';
import type { RolloutReport } from '../domain/status.js';
import { delayOf, isSwap, PASSWORD_STEPS, SWAP_STEPS, type SwapPlan } from '../runbooks/database-swap/steps.js';
import { changePassword } from './change-password.js';
import { effects, longEffects, persistentEffects } from './lib/activities.js';
import { answer } from './lib/failures.js';
import { Follower } from './lib/follower.js';
import type { Gatekeeper } from './lib/gatekeeper.js';
import { keepOldRole } from './lib/old-role.js';
import { proveOldDead } from './lib/proving.js';
import { Run } from './lib/run.js';
import { shutOut, shutOutForGood } from './lib/shut-out.js';
import { rollOut, undoesRollOut } from './lib/rollout.js';
import { seeNobodyIsLeft } from './lib/stragglers.js';
import { beginSwap, mayChange, switchToNewRole, type Begun, type Company } from './lib/swap-steps.js';
import { underItsLock } from './lib/under-its-lock.js';
import { verifyAndWatch } from './lib/verification.js';
import { leadThroughWaves } from './lib/waves.js';

type SwapRun = Run<KeyOf<typeof SWAP_STEPS>>;

export async function swapDatabaseCredential(input: unknown): Promise<RotationReport | RolloutReport> {
  return await underItsLock(input, carryOut, leadThroughWaves);
}

async function carryOut(plan: RotationPlan, gates: Gatekeeper, leader: string | null): Promise<RotationReport> {
  if (!isSwap(plan))
    throw answer('no-runbook', `${formatRef(plan.ref)} is no database credential: start ${plan.kind}'s own runbook`);
  const follower = new Follower(leader, formatRef(plan.ref), gates);
  if (plan.swap.strategy === 'same-role') {
    const run = Run.of(plan, gates, PASSWORD_STEPS);
    if (leader !== null && !isExposed(plan.reason)) run.expects(['others']);
    return await run.carryOut(() => changePassword(run, plan, { steering: run.steering, follower }));
  }
  const run = Run.of(plan, gates, SWAP_STEPS);
  if (leader !== null && !isExposed(plan.reason)) run.expects(['others']);
  return await run.carryOut(() => newRole(run, plan, { steering: run.steering, follower }));
}

async function newRole(run: SwapRun, plan: SwapPlan, company: Company): Promise<void> {
  const { taskQueue, swap } = plan;
  const { hold, takenOver, oldRole } = await beginSwap(run, swap);
  // A run that was terminated had dropped it: there is no way back, and little left to do.
  if (oldRole === 'gone') {
    await dropForGood(run, hold);
    return;
  }

  await run.step('create', () => effects(`Create the new role`, taskQueue).createRole(hold), {
    undo: () => persistentEffects('Undo: remove the new role', taskQueue).removeNewRole(hold),
  });
  const options = switchToNewRole(run, hold);
  // Services that an earlier run has put on the new role leave it before it is removed, also if the store shows the old one again:
  // that run may have ended between store and deploy.
  if (takenOver) undoesRollOut(run, 'switch', options);
  await run.step('prove-new', () => effects('Log in as the new role, on every node', taskQueue).proveNewRole(hold));
  await mayChange(run);
  await rollOut(run, 'switch', 'new only', { ...options, keepsLock: !isExposed(plan.reason) });
  if (isExposed(plan.reason)) await endAtOnce(run, hold);
  else await endWithDelay(run, plan, { hold, oldRole }, company);
}

/** Nothing is waited for. What others may have is shut out before anything else is looked at. */
async function endAtOnce(run: SwapRun, hold: SwapHold): Promise<void> {
  await shutOutForGood(run, hold);
  await verifyAndWatch(run);
  await compareAgain(run, hold);
  await dropForGood(run, hold);
}

async function endWithDelay(
  run: SwapRun,
  { ref, swap, approval }: SwapPlan,
  { hold, oldRole }: Pick<Begun, 'hold' | 'oldRole'>,
  { steering, follower }: Company,
): Promise<void> {
  await verifyAndWatch(run);
  await follower.everybodyIsWell(run, steering);
  const early = await keepOldRole(run, steering, hold, Date.now() + delayOf(swap));
  await compareAgain(run, hold);
  let agreed = await seeNobodyIsLeft(run, steering, hold, null);
  // A wait that was cut short, or a role that somebody else had shut out, is not dropped without a decision.
  const decide = early || oldRole === 'shut out';
  const decided = decide || approval.gates.includes('drop');
  if (decided) {
    const question = `Shut out the old role of ${formatRef(ref)} and drop it, for good?`;
    await run.gate('approve-drop', question, { denyOnExpiry: decide });
    // People may take a day: who has come since has not been decided about.
    agreed = await seeNobodyIsLeft(run, steering, hold, agreed);
  }
  await shutOut(run, steering, hold, { agreed, decided });
  await dropForGood(run, hold);
}

async function compareAgain(run: SwapRun, hold: SwapHold): Promise<void> {
  await run.step('recompare', () => effects('Compare the rights again', run.plan.taskQueue).recompareRights(hold));
}

async function dropForGood(run: SwapRun, hold: SwapHold): Promise<void> {
  const { taskQueue } = run.plan;
  await run.step('drop', () => longEffects('Drop the old role', taskQueue).dropOldRole(hold));
  await proveOldDead(run, () =>
    longEffects('Prove that the old role is refused', taskQueue).proveOldLoginRefused(hold),
  );
  await run.step('forget', () => persistentEffects('Destroy the old credential', taskQueue).forgetPrevious(hold));
}
