/**
 * The steps of `backUpSecrets`, in order, for one plan: what the checklist shows as still to come. The workflow of the same name
 * carries them out. Source: document 004, "Backup Procedure".
 */
import type { BackupPlan } from './backup.js';
import type { StepOutline } from './outline.js';

export function outlineBackup(plan: BackupPlan): StepOutline[] {
  const { encryption, secrets } = plan;
  const names = secrets.map(({ ref }) => ref.secret).join(', ');
  const how =
    encryption.format === 'age' ? `for ${encryption.recipients.length} age recipient(s)` : 'with AES-256 by gpg';
  const all: (StepOutline | null)[] = [
    {
      key: 'check',
      title: 'Check that everything is ready',
      detail: `${plan.directory} writable, ${names} readable, a restore can be proven; nothing is changed`,
      undo: 'nothing to undo',
    },
    {
      key: 'make',
      title: 'Make the archive',
      detail: `${names}, encrypted in memory ${how}`,
      undo: 'undone on failure',
    },
    {
      key: 'prove',
      title: 'Prove the restore',
      detail: 'read back, decrypted, compared with the stores; only then it counts',
      undo: 'nothing to undo',
    },
    plan.qr === null
      ? null
      : {
          key: 'print',
          title: 'Draw printable codes',
          detail: `of the encrypted archive, as ${plan.qr}`,
          undo: 'nothing to undo',
        },
    { key: 'record', title: 'Record in the ledger', detail: 'no due date changes', undo: 'nothing to undo' },
  ];
  return all.filter((step) => step !== null);
}

/** For the ledger: it must not read like a rotation. */
export function methodOfBackup({ encryption }: Pick<BackupPlan, 'encryption'>): string {
  return `backup (${encryption.format})`;
}

/** The kind under which a run stands in the ledger; a secret's dates are counted from rows of other kinds. */
export const BACKUP_KIND = 'backup';
