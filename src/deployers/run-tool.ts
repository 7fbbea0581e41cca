/** Runs a deploy tool. */
import { realpath } from 'node:fs/promises';
import { KeyturnError } from '../domain/errors.js';
import { lockProgram } from '../processes/program-lock.js';
import { runProgram, type Ended, type Program } from '../processes/run-program.js';

export type Tool = Pick<Program, 'argv' | 'directory' | 'environment' | 'limit' | 'beforeStart' | 'onStart'>;

/** Between SIGTERM and SIGKILL: Compose finishes the container it is at. */
const GRACE = 5_000;
const DRAIN = 2_000;

/**
 * What it leaves running lives on: that may be the service itself.
 * @throws KeyturnError `deployer-unavailable` when it cannot be started; when `signal` aborts, its reason, once the tool has ended.
 */
export async function runTool(tool: Tool, signal: AbortSignal): Promise<Ended> {
  try {
    return await runProgram({ ...tool, grace: GRACE, drain: DRAIN, heldOutput: 'read on' }, signal);
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'program-not-started') throw error;
    throw unavailable(error.message, error.hint);
  }
}

/**
 * As `runTool`, and never beside another one of the same name in the same directory on this host, whoever started that: a run, an
 * undo, or a worker that was killed and has left it running. That one is waited for, and ended when its own time is up.
 * @param name of what is deployed, within its directory.
 */
export async function runAlone(name: string, tool: Tool, signal: AbortSignal): Promise<Ended> {
  const directory = await realpath(tool.directory).catch(() => tool.directory);
  try {
    const lock = await lockProgram(`${directory}\n${name}`, tool.limit, signal);
    try {
      return await runTool(
        { ...tool, beforeStart: () => lock.stillHeld(), onStart: (pid) => lock.started(pid) },
        signal,
      );
    } finally {
      lock.release();
    }
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'program-held') throw error;
    throw unavailable(error.message, error.hint, error.retryable);
  }
}

/** What was asked of a service whose inventory does not say how. */
export function cannotStop(service: string): KeyturnError {
  return new KeyturnError('cannot-stop', `nothing says how ${service} is stopped`, {
    hint: 'give its deploy a command: stop: [program, argument, …]',
  });
}

export function unavailable(why: string, hint?: string, retryable = false): KeyturnError {
  return new KeyturnError('deployer-unavailable', why, { retryable, ...(hint === undefined ? {} : { hint }) });
}
