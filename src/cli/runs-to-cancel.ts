/** Which runs are meant by what was typed: the one that holds the name, and those that it leads. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { KeyturnError } from '../domain/errors.js';
import { invocation } from './invocation.js';
import { idsOf, refOf } from './named-runs.js';
import { latestBelow } from './running.js';
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
  const ids = idsOf(text);
  for (const workflowId of ids) {
    const description = await describeRun(temporal, workflowId);
    if (description?.status.name !== 'RUNNING') continue;
    return { run: liveRun(description), led: await ledBy(temporal, description) };
  }
  const only = await theOnlyOne(temporal, ids);
  if (only?.status.name !== 'RUNNING') throw notRunning(text);
  return { run: liveRun(only), led: [] };
}

function liveRun({ workflowId, runId, taskQueue }: WorkflowExecutionDescription): LiveRun {
  return { ref: refOf(workflowId), workflowId, runId, taskQueue };
}

async function ledBy(temporal: TemporalClient, { raw }: WorkflowExecutionDescription): Promise<LiveRun[]> {
  const ids = (raw.pendingChildren ?? []).map(({ workflowId }) => workflowId ?? '');
  // What else it has started are locks on services, which end with their run.
  const runs = ids.filter((id) => /^(?:rotate|backup):/.test(id)).map((id) => describeRun(temporal, id));
  return (await Promise.all(runs)).filter((one) => one?.status.name === 'RUNNING').map((one) => liveRun(one as never));
}

/** `SYSTEM/SECRET` whose environments' runs nobody leads: the one that runs. @throws KeyturnError `ambiguous`. */
async function theOnlyOne(
  temporal: TemporalClient,
  ids: readonly string[],
): Promise<WorkflowExecutionDescription | null> {
  for (const workflowId of ids) {
    const running = (await latestBelow(temporal, workflowId)).filter(({ status }) => status.name === 'RUNNING');
    const [only, ...others] = running;
    if (!only) continue;
    if (others.length === 0) return await describeRun(temporal, only.workflowId, only.runId);
    throw new KeyturnError(
      'ambiguous',
      `${running.length} runs of ${refOf(workflowId)} are running, and none leads them`,
      {
        hint: `name one of ${running.map((one) => refOf(one.workflowId)).join(', ')}`,
      },
    );
  }
  return null;
}

function notRunning(text: string): KeyturnError {
  return new KeyturnError('run-not-found', `no run of ${text} is running`, {
    hint: `see what runs: ${invocation()} status; the last one of it: ${invocation()} status ${text}`,
  });
}
