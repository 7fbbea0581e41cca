/** A worker's log as a person at a terminal reads it: trouble only, and of which run. */
import { oneLine } from '../domain/one-line.js';
import { refOf } from './named-runs.js';
import type { LogLine } from './runtime.js';

/** @returns null: nothing that needs saying there. */
export function terminalWarning(...[level, message, facts = {}]: Parameters<LogLine>): string | null {
  if (level === 'info') return null;
  const { workflowId, error } = facts;
  const failure = innermost(error);
  // An activity's wrapper has said why by then; and that something is not there yet is no trouble.
  if (message === 'Activity failed' && failure?.name === 'ApplicationFailure') return null;
  const run = typeof workflowId === 'string' ? `${refOf(workflowId)}: ` : '';
  const why = failure === null || failure.message === message ? '' : `: ${failure.message}`;
  // People said no: that is what gates are for.
  const word = message === 'Workflow failed' && /" was rejected by /.test(why) ? 'note' : level;
  return oneLine(`${word}: ${run}${message}${why}`, MOST_CHARACTERS);
}

const MOST_CHARACTERS = 1_000;

/** Temporal wraps it as `Child Workflow execution failed`. What comes from a workflow's sandbox is of no class of ours. */
function innermost(error: unknown): { readonly name: unknown; readonly message: string } | null {
  if (typeof error !== 'object' || error === null || !('message' in error)) return null;
  const { message } = error;
  const cause = 'cause' in error ? innermost(error.cause) : null;
  return cause ?? { name: 'name' in error ? error.name : null, message: String(message) };
}
