/** A runbook as all that is outside of it needs to know it. */
import type { Steer } from '../domain/messages.js';
import type { RotationPlan } from '../domain/plan.js';
import type { SecretKind } from '../domain/specs/secret.js';
import type { StepOutline } from '../domain/steps.js';

export interface Runbook {
  /** Type of the workflow that carries it out. */
  readonly workflow: string;
  /** Its page, `docs/runbooks/PAGE.md`. */
  readonly page: string;
  /** Secrets that `keyturn rotate` and schedules start it for. */
  readonly kinds: readonly SecretKind[];
  carriesOut(plan: RotationPlan): boolean;
  /** Of a plan that it carries out; those that only some runs come to among them. */
  steps(plan: RotationPlan): StepOutline[];
  /** How people may steer its waits. */
  readonly steering: readonly Steer[];
}
