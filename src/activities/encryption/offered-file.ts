/** A file that people offer to a run lies in a folder that the inventory names, behind all symlinks. */
import { KeyturnError } from '../../domain/errors.js';
import { realPlace } from '../../inventory/crosscheck/places.js';
import { isWithin } from '../../inventory/destinations.js';

/** @returns where it really is. @throws KeyturnError `not-offered`, whether there is such a file or not. */
export function offeredFile(file: string, folders: readonly string[]): string {
  const real = realPlace(file);
  if (folders.some((folder) => isWithin(real, realPlace(folder)))) return real;
  throw new KeyturnError('not-offered', `${file} does not lie in a folder from which a recovery may read`, {
    hint:
      folders.length > 0
        ? `put it into one of ${folders.join(', ')}; or name its folder under encryption: { recovery: { folders: […] } }`
        : 'name its folder in the inventory, under encryption: { recovery: { folders: […] } }',
  });
}
