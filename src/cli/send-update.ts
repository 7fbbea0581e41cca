/** Sends what a person decides to a run, by an update, so that a refusal comes back with its reason. */
import { KeyturnError } from '../domain/errors.js';
import { DEFAULT_TASK_QUEUE } from '../domain/messages.js';
import { invocation } from './invocation.js';
import { askStatus, describeRun, isSilence } from './runs.js';
import { applicationFailureOf, isNoWorker, within, type TemporalClient } from './temporal.js';

/** A worker answers in milliseconds; this much covers one that must first load the run. */
const UPDATE_TIMEOUT_MS = 20_000;

export interface Update {
  readonly name: string;
  readonly workflowId: string;
  readonly input: unknown;
  /** The secret, for messages. */
  readonly ref: string;
}

/**
 * Sent only when a worker answers for the run: what nobody takes now would be taken later, when the person who was told that it
 * failed no longer thinks of it.
 * @throws KeyturnError `refused` with the run's reason, `run-not-found`, `no-worker`; else as Temporal's client.
 */
export async function sendUpdate<T>(temporal: TemporalClient, { name, workflowId, input, ref }: Update): Promise<T> {
  const handle = temporal.client.workflow.getHandle(workflowId);
  const run = await describeRun(temporal, workflowId);
  const queue = run?.taskQueue ?? DEFAULT_TASK_QUEUE;
  const answer = run?.status.name === 'RUNNING' ? await askStatus(temporal, workflowId) : 'starting';
  if (isSilence(answer)) {
    const why = answer === 'no worker' ? 'no worker answers for it' : 'its code fails on its worker';
    throw new KeyturnError('no-worker', `the run is there, but ${why}: nothing was sent`, {
      hint:
        answer === 'no worker'
          ? `start one where the secrets are, for the run's task queue: ${invocation()} worker --task-queue ${queue}; then decide again`
          : "see the worker's log, and start a repaired worker; then decide again",
      retryable: true,
    });
  }
  try {
    return await within(temporal, UPDATE_TIMEOUT_MS, () => handle.executeUpdate<T, [unknown]>(name, { args: [input] }));
  } catch (error) {
    if (isNoWorker(error)) {
      throw new KeyturnError('no-worker', 'it was sent, and no worker took it in time: it may still be applied', {
        hint: `before you decide again, look at what came of it: ${invocation()} status ${ref}`,
        effect: 'unknown',
        cause: error,
      });
    }
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') {
      throw new KeyturnError('run-not-found', `no run of ${ref} is waiting: none is running`, {
        hint: `see what runs: ${invocation()} status; the last one of it, if there was any: ${invocation()} status ${ref}`,
        cause: error,
      });
    }
    const refused = applicationFailureOf(error);
    if (!refused) throw error;
    throw new KeyturnError('refused', `refused: ${refused.message}`, {
      hint: `see what it waits for, and who may decide: ${invocation()} status ${ref}`,
      cause: error,
    });
  }
}
