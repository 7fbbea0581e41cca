/**
 * Replacing a file as a whole: a reader sees all of the old content or all of the new, also after a power cut.
 * Owner, group, mode and access control list are carried over; other extended attributes are not.
 */
import { constants } from 'node:fs';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { KeyturnError } from '../../domain/errors.js';
import { copyAccessList, hasAccessList } from './access-list.js';
import { errorCode, fileError } from './file-errors.js';

export interface Replacement {
  /** Not a symlink. */
  readonly path: string;
  readonly content: Buffer;
  /** Mode of a new file, and of one whose mode must never be wider. Left out: as the file is. */
  readonly mode?: number;
  /** A file whose owner, group and mode a new one gets. Left out: the worker's, and 0600. */
  readonly like?: string;
  /** Asked right before the rename: throws when the world has changed since the content was made. */
  readonly guard: () => Promise<void>;
  /** Told after every step that leaves a trace; tests kill the process there. */
  readonly faultPoint?: (name: string) => Promise<void> | void;
}

const LEFT_BEHIND = /^\.(.+)\.keyturn-[0-9a-f]{16}\.(tmp|probe)$/;
/** Milliseconds. A probe is made without the file's lock: one that is younger may be another run's, which still needs it. */
const PROBE_LASTS = 60_000;

/** @throws KeyturnError `not-writable`, or what `guard` throws; `effect` is `none` unless the rename has happened. */
export async function replaceFile(replacement: Replacement): Promise<void> {
  const { path, guard, faultPoint } = replacement;
  const temporary = temporaryPath(path, 'tmp');
  let effect: 'none' | 'unknown' | 'applied' = 'none';
  try {
    await writeTemporary(temporary, replacement);
    await guard();
    effect = 'unknown';
    await rename(temporary, path);
    effect = 'applied';
    await faultPoint?.('renamed');
    await syncDirectory(dirname(path));
    await faultPoint?.('directory synced');
  } catch (error) {
    if (effect !== 'applied') await rm(temporary, { force: true }).catch(() => undefined);
    // rename(2) either replaces the name or fails and leaves both; only an I/O error leaves it open which.
    throw fileError(error, `replace ${path}`, effect === 'unknown' && errorCode(error) !== 'EIO' ? 'none' : effect);
  }
}

/** Idempotent. @throws KeyturnError `not-writable`, or what `guard` throws; `effect` is `unknown` where it may be gone. */
export async function removeFile({ path, guard, faultPoint }: Omit<Replacement, 'content'>): Promise<void> {
  await guard();
  try {
    await rm(path, { force: true });
    await faultPoint?.('removed');
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, `remove ${path}`, 'unknown');
  }
}

/** Removes what a killed process left beside `path`. Call it only while holding the file's lock. */
export async function removeTemporaries(path: string): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    const [, of, kind] = LEFT_BEHIND.exec(name) ?? [];
    if (of !== basename(path)) continue;
    const left = join(dirname(path), name);
    if (kind === 'tmp' || (await isOld(left))) await rm(left, { force: true });
  }
}

async function isOld(path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  return Date.now() - mtimeMs > PROBE_LASTS;
}

/**
 * Makes and removes a file beside `path`, to learn whether one can be made, with the access control list of `like` where it has one.
 * @throws KeyturnError `not-writable`.
 */
export async function probeDirectory(path: string, like?: string): Promise<void> {
  const probe = temporaryPath(path, 'probe');
  try {
    await (await createPrivately(probe)).close();
    try {
      if (like !== undefined && (await hasAccessList(like))) await copyAccessList(like, probe);
    } finally {
      await rm(probe);
    }
  } catch (error) {
    const failure = fileError(error, `write in ${dirname(path)}`);
    throw failure.code === 'not-found' ? new KeyturnError('not-writable', failure.message) : failure;
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function temporaryPath(path: string, kind: 'tmp' | 'probe'): string {
  return join(dirname(path), `.${basename(path)}.keyturn-${randomBytes(8).toString('hex')}.${kind}`);
}

/** 0600 from birth: a mode set later would leave a moment in which others can open the file. */
function createPrivately(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
}

async function writeTemporary(temporary: string, replacement: Replacement): Promise<void> {
  const { path, content, mode, like, faultPoint } = replacement;
  const handle = await createPrivately(temporary);
  try {
    await faultPoint?.('temporary created');
    await handle.writeFile(content);
    await faultPoint?.('temporary written');
    const original = await stat(path).catch(() => (like === undefined ? undefined : stat(like)));
    if (original) {
      const own = await handle.stat();
      // Owner before mode: chown clears set-id bits, and a wide mode must not meet the wrong group.
      if (own.uid !== original.uid || own.gid !== original.gid) await handle.chown(original.uid, original.gid);
    }
    await handle.chmod(mode ?? (original ? original.mode & 0o7777 : 0o600));
    if (mode === undefined && original) await keepAccessList(path, like, temporary);
    await handle.sync();
    await faultPoint?.('temporary synced');
  } finally {
    await handle.close();
  }
}

/** A new file gets the list of the one that it is like. */
async function keepAccessList(path: string, like: string | undefined, temporary: string): Promise<void> {
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  const from = exists ? path : like;
  if (from !== undefined && (await hasAccessList(from))) await copyAccessList(from, temporary);
}
