/** What the recovery from a lost encryption key does to the world, as the workflow sees it: types only. Idempotent for one `rotation`. */
import type { Evidence } from '../domain/evidence.js';
import type { RecoverInput } from '../domain/messages.js';
import type { PlannedRecovery, RotationPlan } from '../domain/plan.js';
import type { EncryptionHold } from './encryption-activities.js';
import type { Readiness } from './rotation-activities.js';

export interface RecoveryHold extends EncryptionHold {
  readonly recovery: PlannedRecovery;
}

export interface Loss extends Readiness {
  /** What people decide about: rows by state, and what becomes of those that no key reads. */
  readonly question: string;
  /** Names of the services that can be stopped. */
  readonly stoppable: readonly string[];
}

export interface Reentered extends Evidence {
  readonly quarantined: number;
  readonly entered: number;
  /** For the checklist: each identity with a tick or without. */
  readonly lines: readonly string[];
  /** What is to be entered still, the first of it. */
  readonly missing: readonly string[];
  /** The quarantine tables. */
  readonly places: readonly string[];
  /** Tables in which names are kept when those are destroyed: more rows are missing than a list has room for. */
  readonly lists: readonly string[];
  /** Another one when anything has changed. */
  readonly key: string;
}

export interface RecoveryActivities {
  /** @throws as resolvePlan. */
  resolveRecovery(request: RecoverInput & { environment: string; requestId: string }): Promise<RotationPlan>;
  /**
   * Reads every row under every key there is; changes nothing.
   * @throws `not-ready`; `key-not-lost` when a backup's key reads what is unreadable; `nothing-lost`; `rows-referenced`, `half-readable`.
   */
  checkRecovery(plan: RotationPlan): Promise<Loss>;
  /** In one transaction. @throws as src/reencryption/recover.ts. */
  recoverRows(hold: RecoveryHold): Promise<Evidence>;
  /** The rows as they were, under the key they were under. */
  undoRecovery(hold: RecoveryHold): Promise<Evidence>;
  findReentries(hold: RecoveryHold): Promise<Reentered>;
  /** Waits for another picture than `known`, `quiet` milliseconds at least unless all is entered. @throws NotYet. */
  awaitReentries(hold: RecoveryHold & { known: string; quiet: number }): Promise<Reentered>;
  /** Its rows are gone for good. Says the same when an earlier attempt has done it. */
  destroyQuarantine(hold: RecoveryHold & Pick<Reentered, 'quarantined' | 'places' | 'lists'>): Promise<Evidence>;
}
