/**
 * What the rotation of an encryption key does to the world, as the workflow sees it: types only. Every activity is idempotent for
 * one `rotation`: both keys stand in the store, and a row says itself which of them it is under.
 */
import type { Evidence } from '../domain/evidence.js';
import type { KeyRange } from '../domain/key-range.js';
import type { PlannedColumn, PlannedEncryption, PlannedService } from '../domain/plan.js';
import type { ProofEvidence } from '../domain/proof.js';
import type { RowCounts } from '../domain/row-counts.js';
import type { Hold, Staging } from './rotation-activities.js';

/** One run's hold on one encryption key. */
export interface EncryptionHold extends Hold {
  readonly encryption: PlannedEncryption;
}

export type Direction = 'to the new key' | 'back to the old key';

export interface SweepReport extends Evidence {
  readonly counts: RowCounts;
  /** `api_credentials.encrypted_value: id=7`, the first of them. */
  readonly unreadable: readonly string[];
}

export interface EncryptionActivities {
  /** A value staged by an earlier attempt wins. @throws `malformed-key`, `same-key`, `weak-value`. */
  stageKey(hold: EncryptionHold & Staging): Promise<Evidence>;
  /** @throws `cannot-stop`, `deploy-failed`. */
  stopService(service: PlannedService): Promise<Evidence>;
  /**
   * All columns in one transaction; every row is read again under the target key alone before it is committed.
   * @throws `unreadable-rows` (nothing changed), `rows-locked`.
   */
  reencryptAtomically(hold: EncryptionHold & { direction: Direction }): Promise<SweepReport>;
  /** Parts of a column's table that may be worked on side by side, `encryption.parallel` at the most. */
  splitRows(hold: EncryptionHold & { column: PlannedColumn }): Promise<{ readonly ranges: readonly KeyRange[] }>;
  /** Once through a part of a table. Progress is kept in the heartbeat: the next attempt goes on behind the last committed page. */
  reencryptRows(
    hold: EncryptionHold & { column: PlannedColumn; range: KeyRange; direction: Direction },
  ): Promise<SweepReport>;
  /** Every row under the new key alone, by the independent reader. @returns `others`: how many are not, and which. */
  readRows(hold: EncryptionHold): Promise<Evidence & { readonly others: number; readonly which: readonly string[] }>;
  /** Undo of `stageKey` once rows may have been under the key: destroys it if none is, and none in its quarantine. @throws `new-key-needed`. */
  discardKey(hold: EncryptionHold): Promise<Evidence>;
  /** Each row reads under the new key alone, and none under the old one. @throws `old-key-needed` naming rows. */
  proveOldKeyUnused(hold: EncryptionHold): Promise<ProofEvidence>;
}
