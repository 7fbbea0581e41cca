/**
 * One program at a time for one purpose on this host, also after the worker that ran it was killed: the program lives on then, and
 * the worker that takes over must not run a second one beside it. The lock is a file that names the worker and the program's
 * process group. It does not hold across hosts, or containers that share neither a file system nor process numbers: there a
 * worker that is killed takes its programs along.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { KeyturnError } from '../domain/errors.js';
import { startOf, thisMachine } from './process-identity.js';

export interface ProgramLock {
  /**
   * At once after the program was started, so that whoever finds the lock finds the program. One whose worker is killed in that
   * moment, a millisecond or so, is not found.
   */
  started(pid: number): void;
  /** @throws KeyturnError `program-held` when another process has taken the lock over. */
  stillHeld(): void;
  release(): void;
}

const LOOK_EVERY = 200;
/** A worker ends its program when the time is up, which takes a few seconds; after this long it will not. */
const SLACK = 30_000;
const GRACE = 5_000;

const processSchema = z.object({ pid: z.int().min(2), started: z.string() });
const holderSchema = z.object({
  token: z.string(),
  machine: z.object({ boot: z.string(), processes: z.string() }),
  worker: processSchema,
  /** Leader of the program's process group. */
  program: processSchema.nullable(),
  /** Milliseconds since 1970: by then the program has ended or is ended. */
  until: z.number(),
});
type Holder = z.infer<typeof holderSchema>;

/**
 * Waits for whoever holds it. The program of a worker that is gone is waited for until its own time is up, and then ended.
 * @param purpose names what must not be done twice at once. @param limit milliseconds that the program may take.
 * @throws KeyturnError `program-held` (retryable) when the holder outlives its own time; when `signal` aborts, its reason.
 */
export async function lockProgram(purpose: string, limit: number, signal: AbortSignal): Promise<ProgramLock> {
  const path = join(lockDirectory(), `${createHash('sha256').update(purpose).digest('hex').slice(0, 32)}.json`);
  const own: Holder = {
    token: randomBytes(12).toString('hex'),
    machine: thisMachine(),
    worker: { pid: process.pid, started: startOf(process.pid) },
    program: null,
    until: 0,
  };
  for (;;) {
    signal.throwIfAborted();
    own.until = Date.now() + limit;
    if (create(path, own)) break;
    const text = read(path);
    if (text === null) continue;
    const holder = holderIn(text);
    if (!holder || isAbandoned(holder)) remove(path, text);
    else if (Date.now() < holder.until) await sleep(LOOK_EVERY, undefined, { signal }).catch(() => undefined);
    else if (isOrphan(holder)) await end(holder.program);
    else if (Date.now() < holder.until + SLACK) await sleep(LOOK_EVERY, undefined, { signal }).catch(() => undefined);
    else if (isElsewhere(holder)) remove(path, text);
    else throw held(path, holder);
  }
  const isOwn = (): boolean => holderIn(read(path) ?? '')?.token === own.token;
  return {
    started: (pid) => {
      if (isOwn()) replace(path, { ...own, program: { pid, started: startOf(pid) } });
    },
    stillHeld: () => {
      if (!isOwn()) throw held(path, own);
    },
    release: () => {
      if (isOwn()) rmSync(path, { force: true });
    },
  };
}

/**
 * Nobody else may write there: what stands in a lock is a process to end. Nor may another account be able to make it first, which would
 * block every deploy and undo; so it is not in the temporary directory, as long as there is another place. The same for every worker
 * of this user, whose HOME, XDG_STATE_HOME and TMPDIR may differ from shell to shell.
 */
export function lockDirectory(user = process.geteuid?.() ?? 0, places = placesFor(user)): string {
  for (const path of places) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const stats = lstatSync(path);
      if (!stats.isDirectory() || stats.uid !== user) continue;
      if ((stats.mode & 0o077) !== 0) chmodSync(path, 0o700);
      accessSync(path, constants.W_OK);
      return path;
    } catch {
      // A home that is not there, or not writable.
    }
  }
  throw new KeyturnError('program-held', `none of ${places.join(', ')} is a directory of this worker's user`, {
    hint: "give the worker's user a home that it can write: Keyturn keeps there which deploys are running",
  });
}

function placesFor(user: number): string[] {
  const name = 'keyturn/programs';
  return [
    // Made anew at each boot, by root alone.
    ...(user === 0 && process.platform === 'linux' ? [join('/run', name)] : []),
    join(userInfo().homedir, '.local/state', name),
    join(process.platform === 'linux' ? '/tmp' : tmpdir(), `keyturn-programs-${user}`),
  ];
}

function isElsewhere({ machine }: Holder): boolean {
  return machine.processes !== thisMachine().processes;
}

/** Neither the worker nor its program is there any more. */
function isAbandoned(holder: Holder): boolean {
  if (holder.machine.boot !== thisMachine().boot) return true;
  if (isElsewhere(holder) || isAlive(holder.worker)) return false;
  return holder.program === null || !isAlive(holder.program);
}

function isOrphan(holder: Holder): holder is Holder & { program: NonNullable<Holder['program']> } {
  return !isElsewhere(holder) && !isAlive(holder.worker) && holder.program !== null;
}

function isAlive({ pid, started }: { pid: number; started: string }): boolean {
  const now = startOf(pid);
  return now !== 'gone' && now === started;
}

/** With its group, as its own worker would have done. */
async function end(program: NonNullable<Holder['program']>): Promise<void> {
  const deadline = Date.now() + GRACE;
  signalGroup(program.pid, 'SIGTERM');
  while (isAlive(program) && Date.now() < deadline) await sleep(50);
  if (isAlive(program)) signalGroup(program.pid, 'SIGKILL');
  while (isAlive(program) && Date.now() < deadline + GRACE) await sleep(50);
}

function signalGroup(leader: number, name: NodeJS.Signals): void {
  try {
    process.kill(-leader, name);
  } catch {
    // It has ended meanwhile.
  }
}

function held(path: string, { until }: Holder): KeyturnError {
  return new KeyturnError('program-held', `an earlier deploy should have ended by ${new Date(until).toISOString()}`, {
    retryable: true,
    hint: `see which process ${path} names, and end it if it hangs`,
  });
}

/** Whole from the first moment: a name is linked to a file that is written already. */
function create(path: string, holder: Holder): boolean {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, JSON.stringify(holder), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function replace(path: string, holder: Holder): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, JSON.stringify(holder), { mode: 0o600, flag: 'wx' });
  renameSync(temporary, path);
}

/** Renamed and looked at again before it goes: two that both found it abandoned must not remove the faster one's new lock. */
function remove(path: string, found: string): void {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(path, aside);
    if (read(aside) !== found) linkSync(aside, path);
  } catch {
    // Somebody else was faster.
  }
  rmSync(aside, { force: true });
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function holderIn(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
