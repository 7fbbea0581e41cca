/** Wires a verb: its function gets the context, then what Commander parsed. */
import type { Context } from '../context.js';
import type { ExitCode } from '../exit-codes.js';

export type Action = <Args extends unknown[]>(
  verb: (context: Context, ...args: Args) => Promise<ExitCode>,
) => (...args: unknown[]) => Promise<void>;
