/** What a run of a secret would find, asked of the workers that would carry it out: a short workflow that reads only. */
import { randomBytes } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { KeyturnError } from '../domain/errors.js';
import { PREVIEW_WORKFLOW_TYPE, type PreviewInput } from '../domain/messages.js';
import { previewWorkflowId, type Preview } from '../domain/preview.js';
import { formatRef } from '../domain/refs.js';
import { describeRun, failureIn } from './runs.js';
import type { TemporalClient } from './temporal.js';
import { isPolledSoon, noWorkerText, TAKEN_WITHIN_MS, workerHint } from './unserved.js';
import { withTemporal } from './with-temporal.js';
import type { Context } from './context.js';

/** Its questions have limits of their own, which come first. */
const LONGEST = '20m';
/** Of its history, while no worker has taken it: started, task scheduled. */
const UNTAKEN_EVENTS = 2;

/** @throws KeyturnError `not-configured`, `temporal-unavailable` and `no-worker` where nobody can be asked; what the workers' planning throws. */
export async function askWorkers(context: Context, input: PreviewInput): Promise<readonly Preview[]> {
  try {
    return await withTemporal(context, async ({ temporal, settings: { taskQueue } }) => {
      if (!(await isPolledSoon(temporal, taskQueue))) throw noWorker(taskQueue);
      const handle = await temporal.client.workflow.start<(asked: PreviewInput) => Promise<Preview[]>>(
        PREVIEW_WORKFLOW_TYPE,
        {
          workflowId: previewWorkflowId(input, randomBytes(6).toString('hex')),
          taskQueue,
          args: [input],
          workflowExecutionTimeout: LONGEST,
          staticSummary: `${input.operator} looks what a run of ${formatRef(input)} would find (${input.reason})`.slice(
            0,
            190,
          ),
        },
      );
      return await Promise.race([resultOf(handle), untilUntaken(temporal, handle, taskQueue)]);
    });
  } catch (error) {
    throw nothingAsked(error, formatRef(input));
  }
}

async function resultOf(handle: WorkflowHandle<() => Promise<Preview[]>>): Promise<readonly Preview[]> {
  try {
    return await handle.result();
  } catch (error) {
    const failure = failureIn(error);
    if (!failure) throw error;
    throw new KeyturnError(failure.type, failure.message, failure.hint === null ? {} : { hint: failure.hint });
  }
}

/** A worker that was lost a moment ago is still named by the server. Never resolves: rejects, or is left behind. */
async function untilUntaken(temporal: TemporalClient, handle: WorkflowHandle, taskQueue: string): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, TAKEN_WITHIN_MS).unref());
  const run = await describeRun(temporal, handle.workflowId);
  if (run?.status.name !== 'RUNNING' || run.historyLength > UNTAKEN_EVENTS) return await new Promise(() => undefined);
  await handle.terminate('no worker has taken it');
  throw noWorker(taskQueue);
}

function noWorker(taskQueue: string): KeyturnError {
  return new KeyturnError('no-worker', noWorkerText(taskQueue), {
    hint: workerHint([taskQueue]),
  });
}

/** What the command line could find out here, with its own inventory and variables, may be greener than what a run finds. */
const NOBODY = ['not-configured', 'temporal-unavailable', 'no-worker'];

function nothingAsked(error: unknown, ref: string): unknown {
  if (!(error instanceof KeyturnError) || !NOBODY.includes(error.code)) return error;
  const { code, message, hint, retryable } = error;
  return new KeyturnError(code, `${message}; so nothing could be asked, and nothing was`, {
    hint: [
      ...(hint === undefined ? [] : [hint]),
      `only the steps, without asking anybody: keyturn plan ${ref} --no-checks`,
    ].join('; '),
    retryable,
    cause: error,
  });
}
