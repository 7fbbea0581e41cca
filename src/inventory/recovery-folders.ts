/** Where a recovery may read what people offer to it: whoever may start a run could otherwise have a worker open any file. */
import { dirname } from 'node:path';
import type { BackupPlan } from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import { allBackups, planBackup } from './backups.js';
import type { Inventory } from './inventory.js';
import type { Variables } from './settings.js';

/**
 * The directories of the inventory's backups, and those of the files that open them. What depends on settings that this worker lacks
 * is on another host.
 */
export function foldersOfBackups(inventory: Inventory, variables: Variables): string[] {
  const request = { operator: '', note: null, requestId: '', at: '', variables };
  const folders = allBackups(inventory).flatMap((ref) => {
    try {
      return foldersOf(planBackup(inventory, { ref, ...request }));
    } catch (error) {
      if (error instanceof KeyturnError) return [];
      throw error;
    }
  });
  return [...new Set(folders)];
}

function foldersOf({ directory, encryption }: BackupPlan): string[] {
  const opened = encryption.format === 'age' ? encryption.identity : encryption.passphrase;
  return [directory, ...('file' in opened ? [dirname(opened.file)] : [])];
}
