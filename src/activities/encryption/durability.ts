/** Does the new key outlive a restart of the machine? From the first row on, nothing but the store and its backups has it. */
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { PlannedEncryption } from '../../domain/plan.js';
import { pathOf } from '../../domain/place.js';
import type { StoreSpec } from '../../domain/specs/store.js';
import { isInMemory } from '../../stores/files/in-memory.js';

/** A warning, no problem: a try-out keeps everything in memory, and somebody may fill the place from elsewhere. */
export async function judgeDurability(
  store: StoreSpec,
  { backups }: Pick<PlannedEncryption, 'backups'>,
): Promise<string | { warning: string }> {
  // What waits stands beside the file or directory itself, behind any symlink.
  const place = dirname(await realpath(pathOf(store)).catch(() => pathOf(store)));
  if (!(await isInMemory(place).catch(() => false))) return 'is kept on a disk';
  const lost = `${place} is kept in memory: when the machine restarts the new key is gone, and every row that is under it by then`;
  return {
    warning:
      backups.length > 0
        ? `${lost}, but for its backup (${backups.join(', ')})`
        : `${lost}; keep the store on a disk, or describe a backup of the key (docs/runbooks/back-up-secrets.md)`,
  };
}
