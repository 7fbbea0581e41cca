/** Runs a program: an argument list, no shell, no input, a bounded time and output, its whole process group ended with it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { KeyturnError } from '../domain/errors.js';
import { BoundedOutput } from './bounded-output.js';
import { meetHiddenValues } from './hidden-files.js';

export interface Program {
  readonly argv: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly limit: number;
  /** Milliseconds between SIGTERM and SIGKILL, once its time is up or its caller aborts. */
  readonly grace: number;
  /** Milliseconds between its end and that of its output, which only a program that it left running can hold open. */
  readonly drain: number;
  /**
   * What becomes of an output that is still held open then. `read on`: what is written there is dropped, since its writer would
   * die of a closed pipe. `close`: nothing that it left running is meant to live.
   */
  readonly heldOutput: 'read on' | 'close';
  /** The last moment to think better of it: what it throws is thrown on, and nothing is started. */
  readonly beforeStart?: () => void;
  /** Told at once, before anything else can happen, which process leads its group. */
  readonly onStart?: (pid: number) => void;
}

export interface Ended {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly endedBy: NodeJS.Signals | null;
  readonly timedOut: boolean;
  /** It ended, but something that it started and left running still writes to its output. */
  readonly outputHeld: boolean;
  /** The last 256 KiB of each. Not redacted, but `redact` knows by now what stands in hidden files (hidden-files.ts). */
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * @throws KeyturnError `program-not-started` (no such program or directory, not executable); when `signal` aborts, its reason,
 * once the program has ended: two attempts must not do the same thing at the same time.
 */
export async function runProgram(program: Program, signal: AbortSignal): Promise<Ended> {
  signal.throwIfAborted();
  const { argv, directory, environment, limit, grace, drain, heldOutput } = program;
  if (!(await stat(directory).catch(() => null))?.isDirectory()) throw notStarted(`there is no directory ${directory}`);
  await meetHiddenValues();
  // From here to the listener below nothing waits: an abort either came before, or finds a program to end.
  signal.throwIfAborted();
  program.beforeStart?.();
  const [file, ...args] = argv as [string, ...string[]];
  // A group of its own, so that what the program starts ends with it.
  const child = spawn(file, args, {
    cwd: directory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    shell: false,
  });
  if (child.pid !== undefined) program.onStart?.(child.pid);
  const outputs = [new BoundedOutput(child.stdout), new BoundedOutput(child.stderr)] as const;
  const deadline = AbortSignal.timeout(limit);
  const stop = AbortSignal.any([signal, deadline]);
  const endGroup = (): void => {
    // The leader may go at once while others of its group ignore SIGTERM; a group that is empty by then is left alone.
    if (kill(child, 'SIGTERM')) setTimeout(() => kill(child, 'SIGKILL'), grace).unref();
  };
  stop.addEventListener('abort', endGroup, { once: true });
  live.add(child);
  try {
    const [exitCode, endedBy] = await exit(child, file);
    const drained = Promise.all(outputs.map((output) => output.ended)).then(() => true);
    const outputHeld = !(await Promise.race([drained, pause(drain)]));
    await meetHiddenValues();
    signal.throwIfAborted();
    const [stdout, stderr] = [outputs[0].text(), outputs[1].text()];
    return { exitCode, endedBy, timedOut: deadline.aborted, outputHeld, stdout, stderr };
  } finally {
    stop.removeEventListener('abort', endGroup);
    live.delete(child);
    for (const output of outputs) {
      if (heldOutput === 'read on') output.readOn();
      else output.close();
    }
  }
}

function exit(child: ChildProcess, file: string): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code, endedBy) => {
      resolve([code, endedBy]);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why = `${file} cannot be started (${error.code ?? 'unknown'})`;
      reject(notStarted(why, `is ${file} installed and on PATH?`));
    });
  });
}

/** A group of its own does not get this process's signals, so whatever is left is ended when this process ends. */
const live = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of live) kill(child, 'SIGKILL');
});

/** @returns false when nobody of the group is left. */
function kill(child: ChildProcess, name: NodeJS.Signals): boolean {
  if (child.pid === undefined) return false;
  try {
    return process.kill(-child.pid, name);
  } catch {
    return false;
  }
}

function notStarted(why: string, hint?: string): KeyturnError {
  return new KeyturnError('program-not-started', why, hint === undefined ? {} : { hint });
}

function pause(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds).unref());
}
