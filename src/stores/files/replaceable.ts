/** Which file stands behind a path, and whether it can be replaced as a whole. */
import { lstat, readFile, realpath, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { KeyturnError } from '../../domain/errors.js';
import { assertChangeable } from './access-list.js';
import { fileError } from './file-errors.js';
import { probeDirectory } from './replace-file.js';

export interface Target {
  /** The file itself, behind any symlink: this is what is replaced, so that links stay links. */
  readonly path: string;
  readonly isLink: boolean;
  readonly stats: Stats;
}

/**
 * @param root a link may lead only to files below this directory; default: the directory that `path` names. A link that
 *   leads elsewhere could make Keyturn replace a file that its inventory does not name.
 * @throws KeyturnError `not-found`, or `not-writable` for a link that leads out of `root` and for what is not a regular file.
 */
export async function resolveTarget(path: string, root = dirname(path)): Promise<Target> {
  try {
    const isLink = (await lstat(path)).isSymbolicLink();
    const real = await realpath(path);
    const stats = await stat(real);
    if (isLink && !real.startsWith(withSeparator(await realpath(root)))) {
      throw new KeyturnError('not-writable', `${path} is a symlink to ${real}, outside ${root}`, {
        hint: 'name the file itself in the inventory',
      });
    }
    if (!stats.isFile()) throw new KeyturnError('not-writable', `${path} is not a regular file`);
    return { path: isLink ? real : join(await realpath(dirname(path)), basename(path)), isLink, stats };
  } catch (error) {
    throw fileError(error, `read ${path}`);
  }
}

/** @throws KeyturnError `not-writable` when a rename over the file would fail or would separate it from what shares it. */
export async function assertReplaceable(target: Target): Promise<void> {
  const directory = await stat(dirname(target.path));
  if ((await isMountPoint(target.path)) || directory.dev !== target.stats.dev) {
    throw new KeyturnError('not-writable', `${target.path} is itself a mount point and cannot be replaced (EBUSY)`, {
      hint: 'mount the directory that holds the file, not the file itself',
    });
  }
  if (target.stats.nlink > 1) {
    throw new KeyturnError('not-writable', `${target.path} has ${target.stats.nlink} hard links`, {
      hint: 'the other names would keep the old value: use one file, or symlinks to it',
    });
  }
  const user = process.geteuid?.() ?? 0;
  const groups = [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])];
  if (user !== 0 && !groups.includes(target.stats.gid)) {
    throw new KeyturnError(
      'not-writable',
      `${target.path} belongs to group ${target.stats.gid}, and the worker is not in it`,
      {
        hint: 'put the worker’s user into that group: the group could not be kept when the file is replaced',
      },
    );
  }
  if (user !== 0 && user !== target.stats.uid) {
    throw new KeyturnError(
      'not-writable',
      `${target.path} belongs to user ${target.stats.uid}, the worker is user ${user}`,
      {
        hint: 'run the worker as the file’s owner: only root can keep another owner when a file is replaced',
      },
    );
  }
  await assertChangeable(target);
  await probeDirectory(target.path, target.path);
}

async function isMountPoint(path: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return mounts.split('\n').some((line) => unescapeOctal(line.split(' ')[4] ?? '') === path);
}

/** The kernel writes space, tab, newline and backslash in paths as \040 and the like. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

function withSeparator(directory: string): string {
  return directory.endsWith(sep) ? directory : directory + sep;
}
