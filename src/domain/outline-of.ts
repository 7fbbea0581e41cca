/** The outline of whichever runbook carries a plan out. */
import { outlineEncryption } from './encryption-runbook.js';
import type { StepOutline } from './outline.js';
import type { RotationPlan } from './plan.js';
import { outlineRecovery } from './recovery-runbook.js';
import { outlineSessionRotation } from './session-runbook.js';
import { outlineSwap } from './swap-runbook.js';

export function outlineOf(plan: RotationPlan): StepOutline[] {
  if (plan.encryption && plan.recovery) return outlineRecovery(plan, plan.encryption, plan.recovery);
  if (plan.encryption) return outlineEncryption(plan, plan.encryption);
  return plan.swap ? outlineSwap(plan, plan.swap) : outlineSessionRotation(plan);
}
