import { basename } from 'node:path';
import { milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { CommandCheckSpec } from '../domain/specs/check.js';
import { minimalEnvironment } from '../processes/environment.js';
import { applyMasks, cleanLines, masksOfVariables } from '../processes/masks.js';
import { runProgram, type Ended } from '../processes/run-program.js';
import type { CheckAnswer, CheckContext } from './check.js';
import { oneLine } from '../processes/safe-text.js';

/** A check asks a question: nothing that it starts is meant to outlive it. */
const GRACE = 2_000;
const DRAIN = 1_000;

/** Passes when the exit code is the expected one and, where asked, standard output contains a text. */
export async function askCommand(check: CommandCheckSpec, context: CheckContext): Promise<CheckAnswer> {
  const named = check.environment ?? [];
  const environment = minimalEnvironment(named);
  const name = [basename(check.argv[0] ?? ''), ...check.argv.slice(1)].join(' ');
  const masks = masksOfVariables(named, environment, 'masked');
  const show = (text: string, limit?: number): string => oneLine(applyMasks(text, masks), limit);
  let ended: Ended;
  try {
    const directory = check.directory ?? process.cwd();
    const program = { argv: check.argv, directory, environment, limit: milliseconds(check.timeout) };
    ended = await runProgram({ ...program, grace: GRACE, drain: DRAIN, heldOutput: 'close' }, context.signal);
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { passed: false, summary: show(`${oneLine(name, 100)}: ${error.message}`) };
  }
  const wrong = mismatch(check, ended);
  const summary = `${oneLine(name, 100)} ${wrong ?? `exited with ${check.expect.exitCode}`}`;
  const said = wrong === null ? undefined : cleanLines(`${ended.stdout}\n${ended.stderr}`, masks).at(-1);
  return { passed: wrong === null, summary: oneLine(summary + (said ? `: ${show(said, 150)}` : '')) };
}

function mismatch(check: CommandCheckSpec, ended: Ended): string | null {
  const { exitCode, stdout } = check.expect;
  if (ended.timedOut) return `did not end within ${check.timeout}`;
  if (ended.exitCode !== exitCode) return `${how(ended)}, expected ${exitCode}`;
  if (stdout !== undefined && !ended.stdout.includes(stdout)) return `did not print ${JSON.stringify(stdout)}`;
  return null;
}

function how(ended: Ended): string {
  return ended.endedBy ? `was ended by ${ended.endedBy}` : `exited with ${ended.exitCode ?? 'no code'}`;
}
