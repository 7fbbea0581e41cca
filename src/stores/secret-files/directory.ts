/** One look at the files of a directory that somebody asks for. */
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { closest, distance } from 'fastest-levenshtein';
import { KeyturnError } from '../../domain/errors.js';
import { fileError } from '../files/file-errors.js';
import type { Look, SeenFile } from '../versions/medium.js';
import { readSecretFile, type SecretFile } from './secret-file.js';

export interface DirectoryLook extends Look {
  /** Behind any symlink. */
  readonly directory: string;
  readonly files: ReadonlyMap<string, SecretFile | KeyturnError | null>;
  /** Every name that stands there, for "did you mean". */
  readonly names: readonly string[];
}

/**
 * @param root a link may lead only to a directory below this one; default: the directory that holds the link.
 * @throws KeyturnError `not-found`; `not-writable` for what is no directory, and for a link that leads out of `root`.
 */
export async function resolveDirectory(path: string, root = dirname(path)): Promise<string> {
  try {
    const isLink = (await lstat(path)).isSymbolicLink();
    const real = await realpath(path);
    if (isLink && !real.startsWith(withSeparator(await realpath(root)))) {
      throw new KeyturnError('not-writable', `${path} is a symlink to ${real}, outside ${root}`, {
        hint: 'name the directory itself in the inventory',
      });
    }
    if (!(await stat(real)).isDirectory()) throw new KeyturnError('not-writable', `${path} is not a directory`);
    return real;
  } catch (error) {
    throw fileError(error, `read ${path}`);
  }
}

/** A file that cannot be read spoils its own secrets only. */
export async function lookAt(
  directory: string,
  wanted: readonly string[],
  names: readonly string[],
): Promise<DirectoryLook> {
  const files = new Map<string, SecretFile | KeyturnError | null>();
  for (const name of new Set(wanted)) {
    files.set(
      name,
      await readSecretFile(directory, name).catch((error: unknown) =>
        fileError(error, `read ${join(directory, name)}`),
      ),
    );
  }
  const seen = [...files].flatMap(([name, file]): SeenFile[] => {
    if (file instanceof KeyturnError) return [];
    return [file ? { path: file.target.path, bytes: file.bytes } : { path: join(directory, name), bytes: null }];
  });
  return { directory, files, names, seen };
}

/** @returns undefined where there is no such file. @throws KeyturnError why it could not be read. */
export function findFile({ files }: DirectoryLook, name: string): SecretFile | undefined {
  const found = files.get(name);
  if (found instanceof KeyturnError) throw found;
  return found ?? undefined;
}

/** @throws KeyturnError `not-found` also for an empty one, which stands there so that it can be mounted. */
export function requireFile(look: DirectoryLook, name: string): SecretFile {
  const file = findFile(look, name);
  if (file && file.text !== '') return file;
  if (file) throw new KeyturnError('not-found', `${file.target.path} is empty`);
  const near = closest(name, [...look.names]);
  const similar = near && distance(near, name) <= 3 ? `did you mean ${near}?` : 'write a first value into it by hand';
  throw new KeyturnError('not-found', `${look.directory} has no file ${name}`, { hint: similar });
}

function withSeparator(directory: string): string {
  return directory.endsWith(sep) ? directory : directory + sep;
}
