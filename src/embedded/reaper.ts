/**
 * Programs that Keyturn starts die with Keyturn, also when it is killed with SIGKILL. One helper process a parent holds the
 * read end of a pipe: it is told which process groups live, and when the pipe closes, however the parent ended, it ends
 * those that are left and removes the directories that were theirs.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { KeyturnError } from '../domain/errors.js';

/** Time between asking and killing. PostgreSQL needs the longest: a checkpoint under load. */
const GRACE_SECONDS = 5;

/**
 * A shell, not a second node: it takes 1 MB and 2 ms. It ignores the signals that a terminal sends to everybody, because
 * it must outlive its parent. Lines: `+SIGNAL:GROUP` lives, `-GROUP` has ended, `/PATH` is a directory to remove at the end.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
groups=' '
set --
while IFS= read -r line; do
  case $line in
    +*) groups="$groups\${line#+} " ;;
    -*) next=' '
        for entry in $groups; do [ "\${entry#*:}" = "\${line#-}" ] || next="$next$entry "; done
        groups=$next ;;
    /*) set -- "$@" "$line" ;;
  esac
done
for entry in $groups; do kill -s "\${entry%%:*}" -- "-\${entry#*:}" 2>/dev/null; done
tries=0
while [ $tries -lt ${String(GRACE_SECONDS * 10)} ]; do
  left=
  for entry in $groups; do kill -s 0 -- "-\${entry#*:}" 2>/dev/null && left=yes; done
  [ -n "$left" ] || break
  sleep 0.1
  tries=$((tries + 1))
done
for entry in $groups; do kill -s KILL -- "-\${entry#*:}" 2>/dev/null; done
[ $# -eq 0 ] || rm -rf -- "$@"
`;

export interface GuardedOptions {
  readonly cwd?: string;
  /** The whole environment of the child. Defaults to this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly uid?: number;
  readonly gid?: number;
  /** What the child prints is appended here (mode 0600); without it, it is discarded. */
  readonly logFile?: string;
  /** What asks this program to end in good order. Defaults to SIGTERM. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GuardedProcess {
  readonly pid: number;
  /** Resolves, never rejects, when the program has ended. */
  readonly exited: Promise<Exit>;
  /** null while it runs. */
  readonly exit: Exit | null;
  /** Sends a signal to the program and what it started; nothing happens if it has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end, and kills it after `graceMs` (5,000). Idempotent; resolves when it is gone. */
  stop(graceMs?: number): Promise<Exit>;
}

let reaper: ChildProcess | null = null;
const living = new Set<GuardedProcess>();

/**
 * Starts a program in a process group of its own: a Ctrl-C in the terminal reaches this process only, which then ends its
 * programs in the right order.
 * @throws KeyturnError `cannot-start` if the program does not exist or may not be run.
 */
export async function spawnGuarded(
  command: string,
  args: readonly string[],
  options: GuardedOptions = {},
): Promise<GuardedProcess> {
  const helper = startReaper();
  const log = options.logFile === undefined ? null : openSync(options.logFile, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
  } finally {
    if (log !== null) closeSync(log);
  }
  // Told in the same turn of the event loop as the start: nothing of this process runs in between.
  if (child.pid !== undefined) tell(helper, `+${(options.stopSignal ?? 'SIGTERM').slice(3)}:${String(child.pid)}`);
  await started(child, command);
  return guard(child, helper, options.stopSignal ?? 'SIGTERM');
}

/** Has `directory` removed when this process ends in whatever way. Only for directories made by mkdtemp. */
export function removeAtEnd(directory: string): void {
  tell(startReaper(), directory);
}

/** SIGKILL to everything started here and still alive: for the second Ctrl-C. */
export function killAllGuarded(): void {
  for (const process of living) process.kill('SIGKILL');
}

/** The helper's process id, for leak checks; null before anything was started. */
export function reaperPid(): number | null {
  return reaper?.pid ?? null;
}

function startReaper(): ChildProcess {
  if (reaper !== null) return reaper;
  // The script in a variable, so that a list of processes stays readable; nothing else of our environment concerns it.
  const helper = spawn('/bin/sh', ['-c', 'eval "$SCRIPT"', 'keyturn-reaper'], {
    cwd: '/',
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SCRIPT },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  helper.once('error', () => (reaper = null));
  helper.once('exit', () => (reaper = null));
  helper.stdin.on('error', () => undefined);
  // It must not keep this process alive: it ends when this process does.
  helper.unref();
  if ('unref' in helper.stdin) (helper.stdin as unknown as { unref(): void }).unref();
  reaper = helper;
  return helper;
}

function tell(helper: ChildProcess, line: string): void {
  helper.stdin?.write(`${line}\n`);
}

function started(child: ChildProcess, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new KeyturnError('cannot-start', `${command} cannot be started: ${cause.code ?? cause.message}`, { cause }),
      );
    });
  });
}

function guard(child: ChildProcess, helper: ChildProcess, stopSignal: NodeJS.Signals): GuardedProcess {
  const pid = child.pid ?? 0;
  let exit: Exit | null = null;
  const kill = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // EPERM is what macOS says of a group of which only the dead are left.
      if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  };
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      // What it left behind in its group goes with it; only then is the group's number free for others.
      kill('SIGKILL');
      tell(helper, `-${String(pid)}`);
      living.delete(guarded);
      resolve(exit);
    });
  });
  const guarded: GuardedProcess = {
    pid,
    exited,
    get exit() {
      return exit;
    },
    kill: (signal) => {
      if (exit === null) kill(signal);
    },
    async stop(graceMs = GRACE_SECONDS * 1000) {
      if (exit !== null) return exit;
      kill(stopSignal);
      const timer = setTimeout(() => guarded.kill('SIGKILL'), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
  living.add(guarded);
  return guarded;
}
