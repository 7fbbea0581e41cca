/** How an error reaches a person: `error: …`, then `hint: …`, on standard error; never a stack trace, never a value. */
import { KeyturnError } from '../domain/errors.js';
import { harmless, shown } from './console.js';
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.js';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof KeyturnError) {
    const hint = error.hint === undefined ? undefined : shown(error.hint);
    return { code: error.code, message: shown(error.message), hint, exitCode: exitCodeOf(error.code) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'unexpected',
    message: `unexpected: ${harmless(message)}`,
    hint: 'run it again with KEYTURN_DEBUG=1 to see where this comes from',
    exitCode: EXIT.failed,
  };
}

/** Prints the failure; with `--json` also as the document, so that standard output always holds one. */
export function reportFailure(error: unknown, options: { json: boolean; debug: boolean }): ExitCode {
  const failure = describeFailure(error);
  process.stderr.write(`error: ${failure.message}\n`);
  if (failure.hint !== undefined) process.stderr.write(`hint: ${failure.hint}\n`);
  if (options.debug && error instanceof Error) process.stderr.write(`${harmless(traceOf(error))}\n`);
  if (options.json) {
    const { code, message, hint } = failure;
    process.stdout.write(`${JSON.stringify({ error: { code, message, hint: hint ?? null } }, null, 2)}\n`);
  }
  return failure.exitCode;
}

function traceOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by: ${traceOf(error.cause)}` : own;
}
