/** The directory where backups lie. It is never made: in the place of a medium that is not mounted it would take what belongs there. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from '../domain/evidence.js';
import { KeyturnError } from '../domain/errors.js';
import { errorCode, fileError } from '../stores/files/file-errors.js';
import { probeDirectory } from '../stores/files/replace-file.js';

/** @throws KeyturnError `not-found` when there is no such directory, `not-writable` when it cannot be read. */
export async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw fileError(error, `read ${directory}`);
    throw new KeyturnError('not-found', `there is no directory ${directory}`, {
      hint: 'create it (mode 0700), or mount the medium that it is on',
    });
  }
}

/** Makes and removes a file in it. @throws KeyturnError as `filesIn`, and `not-writable`. */
export async function preflightDirectory(directory: string): Promise<Evidence> {
  await filesIn(directory);
  await probeDirectory(join(directory, 'archive'));
  const { mode } = await stat(directory);
  // Archives are encrypted and manifests sealed; but whoever can write there can take them away.
  const open = (mode & 0o022) === 0 ? '' : ', though others may write there too (mode 0700 is better)';
  return { summary: `${directory} can be written${open}` };
}
