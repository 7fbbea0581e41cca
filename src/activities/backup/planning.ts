/** From a request to the plans of backups: reading the inventory. */
import { parseBackupSelector, type BackupPlan, type BackupRef } from '../../domain/backup.js';
import { parseBackupInput, type BackupInput } from '../../domain/messages.js';
import type { SecretRef } from '../../domain/refs.js';
import { backupsOf, expandBackups as expand, planBackup } from '../../inventory/backups.js';
import type { BackupRequest } from '../backup-activities.js';
import type { ActivityDeps } from '../deps.js';
import { fromInventory } from '../from-inventory.js';

export async function expandBackups(request: BackupInput, deps: ActivityDeps): Promise<BackupRef[]> {
  return await fromInventory(deps, (inventory) => expand(inventory, parseBackupInput(request)));
}

export async function findBackupsOf(ref: SecretRef, deps: ActivityDeps): Promise<BackupRef[]> {
  const { places } = backupsOf(await deps.loadInventory(), ref, deps.variables);
  return places.map(({ backup }) => {
    const { system, environment = '', backup: name = '' } = parseBackupSelector(backup);
    return { system, environment, backup: name };
  });
}

export async function resolveBackup(request: BackupRequest, deps: ActivityDeps): Promise<BackupPlan> {
  const { system, environment, backup, operator, note, requestId, at, versions } = request;
  const plan = await fromInventory(deps, (inventory) =>
    planBackup(inventory, {
      ref: { system, environment, backup },
      operator,
      note: note ?? null,
      requestId,
      at,
      variables: deps.variables,
      ...(versions ? { versions } : {}),
    }),
  );
  return deps.fingerprintKey === undefined ? plan : { ...plan, fingerprintKey: deps.fingerprintKey };
}
