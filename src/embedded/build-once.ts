/** What takes long to fetch or make is kept in the user's cache, under a name that says which version it is. */
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { withFileLock } from '../../scripts/file-lock.mjs';

/**
 * Builds in a directory beside `home` and renames it there when it works: another process sees all of it or nothing, and two
 * that start at once build once.
 * @param isThere whether `home` holds what is wanted already. @param build fills its argument, and tries what it made.
 * @throws what `build` throws; nothing is left of that attempt.
 */
export async function buildOnce(
  home: string,
  isThere: () => Promise<boolean>,
  build: (building: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(home), { recursive: true });
  await withFileLock(`${home}.lock`, async () => {
    if (await isThere()) return;
    const building = await mkdtemp(`${home}.building-`);
    try {
      await build(building);
      await rm(home, { recursive: true, force: true });
      await rename(building, home);
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  });
}
