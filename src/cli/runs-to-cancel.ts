/** Which runs are meant by what was typed: the one that holds the name, and those that it leads. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { parseBackupSelector } from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import { formatRef, parseSelector } from '../domain/refs.js';
import { invocation } from './invocation.js';
import { listHolding } from './running.js';
import { describeRun } from './runs.js';
import type { TemporalClient } from './temporal.js';

export interface LiveRun {
  /** As people name it. */
  readonly ref: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly taskQueue: string;
}

export interface ToCancel {
  /** Whose cancellation is asked for. */
  readonly run: LiveRun;
  /** Environments' runs, or single backups, that it has started: they are cancelled with it. */
  readonly led: readonly LiveRun[];
}

/** A rotation or recovery first, then a backup of that name. @throws KeyturnError `run-not-found`, `ambiguous`, `bad-reference`. */
export async function runToCancel(temporal: TemporalClient, text: string): Promise<ToCancel> {
  for (const workflowId of idsOf(text)) {
    const description = await describeRun(temporal, workflowId);
    if (description?.status.name !== 'RUNNING') continue;
    return { run: liveRun(description), led: await ledBy(temporal, description) };
  }
  throw (await severalOf(temporal, text)) ?? notRunning(text);
}

function idsOf(text: string): string[] {
  if (/^(?:rotate|backup):/.test(text)) return [text];
  const ids = [named(text, parseSelector, 'rotate:'), named(text, parseBackupSelector, 'backup:')];
  const known = ids.filter((id) => id !== null);
  // The words for what is no name at all.
  if (known.length === 0) parseSelector(text);
  return known;
}

function named(text: string, parse: (text: string) => unknown, prefix: string): string | null {
  try {
    parse(text);
    return `${prefix}${text}`;
  } catch {
    return null;
  }
}

function liveRun({ workflowId, runId, taskQueue }: WorkflowExecutionDescription): LiveRun {
  return { ref: workflowId.replace(/^(?:rotate|backup):/, ''), workflowId, runId, taskQueue };
}

async function ledBy(temporal: TemporalClient, { raw }: WorkflowExecutionDescription): Promise<LiveRun[]> {
  const ids = (raw.pendingChildren ?? []).map(({ workflowId }) => workflowId ?? '');
  // What else it has started are locks on services, which end with their run.
  const runs = ids.filter((id) => /^(?:rotate|backup):/.test(id)).map((id) => describeRun(temporal, id));
  return (await Promise.all(runs)).filter((one) => one?.status.name === 'RUNNING').map((one) => liveRun(one as never));
}

/** `SYSTEM/SECRET` whose environments' runs nobody leads. */
async function severalOf(temporal: TemporalClient, text: string): Promise<KeyturnError | null> {
  if (text.startsWith('backup:') || named(text, parseSelector, '') === null) return null;
  const selector = parseSelector(text);
  if (selector.environment !== undefined) return null;
  const running = await listHolding(temporal, selector);
  if (running.length === 0) return null;
  return new KeyturnError('ambiguous', `${text} has runs of its own in ${running.length} environments`, {
    hint: `name one of ${running.map((one) => formatRef(one.selector)).join(', ')}`,
  });
}

function notRunning(text: string): KeyturnError {
  return new KeyturnError('run-not-found', `no run of ${text} is running`, {
    hint: `see what runs: ${invocation()} status; the last one of it: ${invocation()} status ${text}`,
  });
}
