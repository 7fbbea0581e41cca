/**
 * What a run of backups does to the world, as the workflow sees it: types only. Arguments and results carry references and
 * fingerprints; every activity is idempotent for one run (the plan's request id and time).
 */
import type { BackupPlan, BackupRef } from '../domain/backup.js';
import type { Evidence } from '../domain/evidence.js';
import type { BackupInput } from '../domain/messages.js';
import type { SecretRef } from '../domain/refs.js';
import type { VersionLabel } from '../domain/slot.js';

export interface BackupRequest extends BackupInput {
  readonly environment: string;
  readonly backup: string;
  readonly requestId: string;
  /** ISO 8601, workflow time. */
  readonly at: string;
  /** Default: the current value, and the pending one where there is one. */
  readonly versions?: readonly VersionLabel[];
}

export interface BackupActivities {
  /** The backups that a request means, in rollout order. @throws `unknown-backup`, `bad-inventory`. */
  expandBackups(request: BackupInput): Promise<BackupRef[]>;
  /** Those that hold this secret, for a run that needs one of its own: resolve, make and prove it. @throws `unknown-secret`. */
  findBackupsOf(ref: SecretRef): Promise<BackupRef[]>;
  /** @throws `unknown-backup`, `bad-inventory`, `setting-missing`. */
  resolveBackup(request: BackupRequest): Promise<BackupPlan>;
  /** Asks everything and reports all problems at once; changes nothing. @throws `not-ready`. */
  checkBackup(plan: BackupPlan): Promise<Evidence>;
  /** Archive and manifest, which do not count yet. */
  makeArchive(plan: BackupPlan): Promise<Evidence>;
  /**
   * Reads the archive back, decrypts it and compares it with the stores; then it counts.
   * @throws `wrong-key`, `archive-damaged`, `archive-changed`, `archive-missing`, `changed-meanwhile`.
   */
  proveArchive(plan: BackupPlan): Promise<Evidence>;
  /** Undo of makeArchive: what could not be proven gets a name that says so. One that was proven stays. */
  setArchiveAside(request: { plan: BackupPlan; why: string }): Promise<Evidence>;
  /** The archive as printable codes. @throws `qr-too-large`. */
  printArchive(plan: BackupPlan): Promise<Evidence>;
}
