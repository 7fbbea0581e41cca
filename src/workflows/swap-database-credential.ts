/**
 * `swapDatabaseCredential`: a database credential is replaced by a new role, in waves, and the old role is dropped a day later.
 * Sources: documents 003 (create with the same grants, staging, production, drop after 24 h), 001 (create, test, deploy, health,
 * revoke), 000 and 002 (a password in place: change-password.ts). domain/swap-runbook.ts is the outline of these steps.
 */
import type { SwapHold } from '../activities/swap-activities.js';
import type { PlannedSwap, RotationPlan } from '../domain/plan.js';
import { isExposed } from '../domain/reason.js';
import { formatRef } from '../domain/refs.js';
import type { RotationReport } from '../domain/report.js';
import type { RolloutReport } from '../domain/status.js';
import { outlineSwap, delayOf } from '../domain/swap-runbook.js';
import { changePassword } from './change-password.js';
import { effects, longEffects, persistentEffects } from './lib/activities.js';
import { Board } from './lib/board.js';
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

export async function swapDatabaseCredential(input: unknown): Promise<RotationReport | RolloutReport> {
  return await underItsLock(input, carryOut, leadThroughWaves);
}

async function carryOut(plan: RotationPlan, gates: Gatekeeper, leader: string | null): Promise<RotationReport> {
  const { swap } = plan;
  if (!swap)
    throw answer('no-runbook', `${formatRef(plan.ref)} is no database credential: start ${plan.kind}'s own runbook`);
  const follower = new Follower(leader, formatRef(plan.ref), gates);
  const board = new Board(plan, gates, outlineSwap(plan, swap));
  gates.onChange(() => board.refresh());
  const run = new Run(plan, gates, board);
  const body = swap.strategy === 'same-role' ? changePassword : newRole;
  return await run.carryOut(() => body(run, swap, { steering: run.steering, follower }));
}

async function newRole(run: Run, swap: PlannedSwap, company: Company): Promise<void> {
  const { plan } = run;
  const { taskQueue } = plan;
  const { hold, takenOver, oldRole } = await beginSwap(run, swap);
  // A run that was terminated had dropped it: there is no way back, and little left to do.
  if (oldRole === 'gone') {
    await run.pointOfNoReturn(() => dropForGood(run, hold));
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
  await run.change(
    () => rollOut(run, 'switch', 'new only', { ...options, keepsLock: !isExposed(plan.reason) }),
    () => (isExposed(plan.reason) ? endAtOnce(run, hold) : endWithDelay(run, swap, { hold, oldRole }, company)),
  );
}

/** Nothing is waited for. What others may have is shut out before anything else is looked at. */
async function endAtOnce(run: Run, hold: SwapHold): Promise<void> {
  await shutOutForGood(run, hold);
  await verifyAndWatch(run);
  await compareAgain(run, hold);
  await dropForGood(run, hold);
}

async function endWithDelay(
  run: Run,
  swap: PlannedSwap,
  { hold, oldRole }: Pick<Begun, 'hold' | 'oldRole'>,
  { steering, follower }: Company,
): Promise<void> {
  const { plan, board } = run;
  await verifyAndWatch(run);
  await follower.everybodyIsWell(run, steering);
  const early = await keepOldRole(run, steering, hold, Date.now() + delayOf(swap));
  await compareAgain(run, hold);
  let agreed = await seeNobodyIsLeft(run, steering, hold, null);
  // A wait that was cut short, or a role that somebody else had shut out, is not dropped without a decision.
  const decide = early || oldRole === 'shut out';
  if (decide) board.add('approve-drop', 'Approval: drop the old role', 'stragglers');
  const decided = decide || plan.approval.gates.includes('drop');
  if (decided) {
    const question = `Shut out the old role of ${formatRef(plan.ref)} and drop it, for good?`;
    await run.gate('approve-drop', 'drop', question, { denyOnExpiry: decide });
    // People may take a day: who has come since has not been decided about.
    agreed = await seeNobodyIsLeft(run, steering, hold, agreed);
  }
  await shutOut(run, steering, hold, { agreed, decided });
  await run.pointOfNoReturn(() => dropForGood(run, hold));
}

async function compareAgain(run: Run, hold: SwapHold): Promise<void> {
  await run.step('recompare', () => effects('Compare the rights again', run.plan.taskQueue).recompareRights(hold));
}

async function dropForGood(run: Run, hold: SwapHold): Promise<void> {
  const { taskQueue } = run.plan;
  await run.step('drop', () => longEffects('Drop the old role', taskQueue).dropOldRole(hold));
  await proveOldDead(run, () =>
    longEffects('Prove that the old role is refused', taskQueue).proveOldLoginRefused(hold),
  );
  await run.step('forget', () => persistentEffects('Destroy the old credential', taskQueue).forgetPrevious(hold));
}
