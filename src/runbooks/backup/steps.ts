/**
 * The steps of `backUpSecrets`, in order; the workflow of the same name carries them out.
 * Source: document 004, "Backup Procedure".
 */
import type { BackupPlan } from '../../domain/backup.js';
import { stepTable } from '../../domain/steps.js';

const namesOf = ({ secrets }: BackupPlan): string => secrets.map(({ ref }) => ref.secret).join(', ');

export const BACKUP_STEPS = stepTable<BackupPlan>()([
  {
    key: 'check',
    title: 'Check that everything is ready',
    detail: (plan) =>
      `${plan.directory} writable, ${namesOf(plan)} readable, a restore can be proven; nothing is changed`,
  },
  {
    key: 'make',
    title: 'Make the archive',
    detail: (plan) => `${namesOf(plan)}, encrypted in memory ${howOf(plan)}`,
    undo: 'undone on failure',
  },
  {
    key: 'prove',
    title: 'Prove the restore',
    detail: 'read back, decrypted, compared with the stores; only then it counts',
  },
  {
    key: 'print',
    title: 'Draw printable codes',
    detail: ({ qr }) => `of the encrypted archive, as ${qr ?? ''}`,
    when: ({ qr }) => qr !== null,
  },
  { key: 'record', title: 'Record in the ledger', detail: 'no due date changes' },
]);

function howOf({ encryption }: BackupPlan): string {
  return encryption.format === 'age' ? `for ${encryption.recipients.length} age recipient(s)` : 'with AES-256 by gpg';
}

/** For the ledger: it must not read like a rotation. */
export function methodOfBackup({ encryption }: Pick<BackupPlan, 'encryption'>): string {
  return `backup (${encryption.format})`;
}

/** The kind under which a run stands in the ledger; a secret's dates are counted from rows of other kinds. */
export const BACKUP_KIND = 'backup';
