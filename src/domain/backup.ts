/** Backups of secrets: how people and runs name one, and the plan of one run. Holds references, never values. */
import type { CredentialRef } from './specs/common.js';
import type { QrFormat } from './specs/backup.js';
import type { SecretKind } from './specs/secret.js';
import { KeyturnError } from './errors.js';
import { NAME_PATTERN, type SecretRef } from './refs.js';
import type { SecretSlot, VersionLabel } from './slot.js';

export interface BackupRef {
  readonly system: string;
  readonly environment: string;
  readonly backup: string;
}

/** Without a backup: all of the environment; without an environment: all of the system. */
export interface BackupSelector {
  readonly system: string;
  readonly environment?: string | undefined;
  readonly backup?: string | undefined;
}

/** @throws KeyturnError `bad-reference` when the text is none of `SYSTEM`, `SYSTEM/ENV`, `SYSTEM/ENV/NAME`. */
export function parseBackupSelector(reference: string): BackupSelector {
  const parts = reference.split('/');
  const [system, environment, backup] = parts;
  if (parts.some((part) => !NAME_PATTERN.test(part)) || !system || parts.length > 3) {
    throw new KeyturnError('bad-reference', `"${reference}" does not name backups`, {
      hint: 'write SYSTEM for all its backups, SYSTEM/ENV for those of an environment, SYSTEM/ENV/NAME for one',
    });
  }
  return { system, ...(environment ? { environment } : {}), ...(backup ? { backup } : {}) };
}

export function formatBackup(selector: BackupSelector): string {
  return [selector.system, selector.environment, selector.backup].filter((part) => part !== undefined).join('/');
}

/** The workflow id that is also the lock: two runs of one backup would write beside each other. */
export function backupWorkflowId(selector: BackupSelector): string {
  return `backup:${formatBackup(selector)}`;
}

/** How an archive is encrypted, and what its restore is proven with. */
export type BackupEncryption =
  | { readonly format: 'age'; readonly recipients: readonly string[]; readonly identity: CredentialRef }
  | { readonly format: 'gpg'; readonly passphrase: CredentialRef };

export interface BackedUpSecret {
  readonly ref: SecretRef;
  readonly kind: SecretKind;
  readonly critical: boolean;
  readonly slot: SecretSlot;
}

/**
 * What an archive holds of each secret. A staged value is in it, since rows may be encrypted under it already, and then it must
 * not exist only once. A previous one is not: it was current when its own backup was made, and a retired value gets no new life.
 */
export const VERSIONS_BY_DEFAULT: readonly VersionLabel[] = ['current', 'pending'];

export interface BackupPlan {
  readonly ref: BackupRef;
  readonly operator: string;
  readonly note: string | null;
  /** The run id: ledger's request id, and the mark in the archive's name. */
  readonly requestId: string;
  /** ISO 8601, when the run was asked for: the time in the archive's name. */
  readonly at: string;
  readonly taskQueue: string;
  readonly inventoryFile: string;
  /** How people call Keyturn, as in a rotation's plan. */
  readonly command: string;
  /** Which key fingerprints and seals of this run are made with; a worker with another one refuses. */
  readonly fingerprintKey?: string;
  /** Absolute. */
  readonly directory: string;
  readonly secrets: readonly BackedUpSecret[];
  readonly encryption: BackupEncryption;
  readonly maxAge: string;
  readonly qr: QrFormat | null;
  /** `current` must exist; of the others, those that do. */
  readonly versions: readonly VersionLabel[];
}

/** What an archive holds, as its manifest says it. */
export interface BackupEntry {
  /** `SYSTEM/ENV/SECRET`. */
  readonly ref: string;
  readonly version: VersionLabel;
  readonly kind: SecretKind;
  readonly fingerprint: string;
}
