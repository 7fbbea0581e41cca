/**
 * One Keyturn process at a time works on a file: `FILE.keyturn.lock`, made with O_EXCL, says who. A lock whose process is
 * gone (same machine: no such pid, or the pid was given to another process) is taken over at once; one from another
 * machine or container, where that cannot be seen, after a minute. A live but paused holder is never robbed on its own
 * machine, and one that lost its lock anyway finds out in `stillHeld` before it writes.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { KeyturnError } from '../../domain/errors.js';
import { startOf, thisMachine } from '../../processes/process-identity.js';
import { errorCode, fileError } from './file-errors.js';

export interface FileLock {
  /** @throws KeyturnError `busy`, retryable, when the lock is no longer this one. */
  stillHeld(): Promise<void>;
  release(): Promise<void>;
}

export interface LockTiming {
  /** How long to wait for another process. One change takes milliseconds. */
  readonly patience: number;
  /** Age after which a lock from elsewhere counts as abandoned. */
  readonly foreignAge: number;
}

const TIMING: LockTiming = { patience: 10_000, foreignAge: 60_000 };
/** A lock file without content is one being written, or one whose writer died in between. */
const BLANK_AGE = 5_000;

const holderSchema = z.object({ token: z.string(), machine: z.string(), pid: z.int(), started: z.string() });

/** @throws KeyturnError `busy`, retryable, when another process keeps the lock for longer than `patience`. */
export async function lockFile(path: string, timing: LockTiming = TIMING): Promise<FileLock> {
  const token = randomBytes(12).toString('hex');
  const content = JSON.stringify({
    token,
    machine: machine(),
    pid: process.pid,
    started: startOf(process.pid),
  });
  const deadline = Date.now() + timing.patience;
  while (!(await create(path, content))) {
    if (await removeIfAbandoned(path, timing)) continue;
    if (Date.now() > deadline) {
      throw new KeyturnError('busy', `another Keyturn process is working on the file guarded by ${path}`, {
        retryable: true,
        hint: `wait for it; if no such process runs anywhere, remove ${path}`,
      });
    }
    await sleep(5 + Math.random() * 20);
  }
  return {
    stillHeld: async () => {
      if ((await read(path))?.includes(token)) return;
      throw new KeyturnError('busy', `the lock ${path} was taken over by another process`, { retryable: true });
    },
    release: async () => {
      if (!(await read(path))?.includes(token)) return;
      await rm(path, { force: true }).catch((error: unknown) => {
        throw fileError(error, `remove ${path}`, 'applied');
      });
    },
  };
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx', 0o600);
    try {
      await handle.writeFile(content);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    // A full disk leaves an empty lock behind; it is ours.
    if (errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT') await rm(path, { force: true });
    const failure = fileError(error, `create ${path}`);
    throw failure.code === 'not-found'
      ? new KeyturnError('not-found', `the directory of ${path} does not exist`)
      : failure;
  }
}

async function removeIfAbandoned(path: string, timing: LockTiming): Promise<boolean> {
  const found = await read(path);
  if (found === undefined) return true;
  if (!(await isAbandoned(path, found, timing))) return false;
  // Renamed before it is removed, and looked at again: two processes that both found it abandoned must not remove the
  // lock that the faster one has made since.
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return true;
  }
  // Put back unless a third process was faster; then the holder finds out in `stillHeld`.
  if ((await read(aside)) !== found) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
  return true;
}

async function isAbandoned(path: string, content: string, timing: LockTiming): Promise<boolean> {
  const holder = holderSchema.safeParse(parseJson(content));
  const age = Date.now() - (await modifiedAt(path));
  if (!holder.success) return age > BLANK_AGE;
  if (holder.data.machine !== machine()) return age > timing.foreignAge;
  return startOf(holder.data.pid) !== holder.data.started;
}

function machine(): string {
  const { boot, processes } = thisMachine();
  return `${boot} ${processes}`;
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

async function modifiedAt(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
