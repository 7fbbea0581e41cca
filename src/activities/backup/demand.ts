/** Before a critical secret is rotated: is there a proven backup of the value in use (document 004)? */
import { findBackup } from '../../backups/find-backup.js';
import { KeyturnError } from '../../domain/errors.js';
import { formatRef, type SecretRef } from '../../domain/refs.js';
import { backupsOf, type BackupsOfSecret } from '../../inventory/backups.js';
import type { ActivityDeps } from '../deps.js';

/** @returns null where nothing is demanded: the secret is not critical, or (unless it is an encryption key) no backup is described. */
export async function demandOf(ref: SecretRef, deps: ActivityDeps): Promise<BackupsOfSecret | null> {
  const backups = await described(ref, deps);
  if (!backups?.critical) return null;
  return backups.places.length > 0 || backups.kind === 'encryption' ? backups : null;
}

/**
 * Of an encryption key a missing backup is a problem: rows are unreadable for good without it. Of the others it is a warning, since
 * they can be replaced; so it is where the inventory describes no backup at all.
 * @param fingerprint of the value in use. @param settling a run that must go on from where a dead one stopped is not held up.
 * @throws KeyturnError `backup-missing`.
 */
export async function answerDemand(
  ref: SecretRef,
  { places, kind }: BackupsOfSecret,
  { fingerprint, settling, deps }: { fingerprint: string; settling: boolean; deps: ActivityDeps },
): Promise<string | { warning: string }> {
  if (places.length === 0) {
    return {
      warning: 'it is critical, and the inventory describes no backup of it (docs/runbooks/back-up-secrets.md)',
    };
  }
  const question = { places, ref: formatRef(ref), fingerprint, now: new Date() };
  const { verdict, text } = await findBackup(question, deps.seals);
  if (verdict === 'proven') return text;
  const hint = `make one: keyturn backup ${places[0]?.backup ?? ''} --operator YOUR-NAME --wait`;
  if (kind !== 'encryption' || settling) return { warning: `${text} (${hint})` };
  throw new KeyturnError('backup-missing', text, { hint });
}

async function described(ref: SecretRef, deps: ActivityDeps): Promise<BackupsOfSecret | null> {
  try {
    return backupsOf(await deps.loadInventory(), ref, deps.variables);
  } catch (error) {
    // Taken out of the inventory since the plan was made.
    if (error instanceof KeyturnError && error.code === 'unknown-secret') return null;
    throw error;
  }
}
