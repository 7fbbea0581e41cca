/** The steps of whichever runbook carries a plan out, as `keyturn plan` shows them. */
import type { RotationPlan } from '../domain/plan.js';
import { outlineOf, type StepOutline } from '../domain/steps.js';
import { PASSWORD_STEPS, SWAP_STEPS, isSwap } from './database-swap/steps.js';
import { ATOMIC_STEPS, ONLINE_STEPS, isEncryption } from './encryption/steps.js';
import { RECOVERY_STEPS, isRecovery } from './lost-key/steps.js';
import { SESSION_STEPS } from './session/steps.js';

/** Those that it surely comes to. */
export function foreseenSteps(plan: RotationPlan): StepOutline[] {
  return stepsOf(plan).filter(({ ifNeeded }) => !ifNeeded);
}

/** Those that only some runs come to among them. */
export function stepsOf(plan: RotationPlan): StepOutline[] {
  if (isRecovery(plan)) return outlineOf(RECOVERY_STEPS, plan);
  if (isEncryption(plan)) return outlineOf(plan.encryption.mode === 'atomic' ? ATOMIC_STEPS : ONLINE_STEPS, plan);
  if (isSwap(plan)) return outlineOf(plan.swap.strategy === 'same-role' ? PASSWORD_STEPS : SWAP_STEPS, plan);
  return outlineOf(SESSION_STEPS, plan);
}
