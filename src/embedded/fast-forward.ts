/**
 * Passing a workflow's timers without waiting, on a dev server that was started with time skipping. No SDK option yet, so
 * this speaks to the raw service. Bounded on purpose: unbounded skipping would run into every idle deadline behind the wait.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowService } from '@temporalio/client';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { KeyturnError } from '../domain/errors.js';

const Result = proto.temporal.api.enums.v1.FastForwardPollingResult;
const COMPLETED = Result.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED;
const GOING_ON = Result.FAST_FORWARD_POLLING_RESULT_POLL_TIMEOUT;

/** @throws KeyturnError `time-skipping` when the server does not do it, or the workflow ended first. */
export async function fastForward(
  service: WorkflowService,
  run: { readonly namespace?: string; readonly workflowId: string; readonly runId: string },
  seconds: number,
): Promise<void> {
  const namespace = run.namespace ?? 'default';
  const workflowExecution = { workflowId: run.workflowId, runId: run.runId };
  const id = randomUUID();
  await service.updateWorkflowExecutionOptions({
    namespace,
    workflowExecution,
    updateMask: { paths: ['time_skipping_config'] },
    workflowExecutionOptions: {
      timeSkippingConfig: {
        enabled: true,
        fastForwardConfig: { id, duration: msNumberToTs(seconds * 1_000) },
      },
    },
  });
  const poll = () => service.pollWorkflowExecutionTimeSkipping({ namespace, workflowExecution, fastForwardId: id });
  let { fastForwardPollingResult: result, failedReason } = await poll();
  // Each timer and each retry on the way is really carried out: a day that is watched every five minutes takes a minute.
  while (result === GOING_ON) ({ fastForwardPollingResult: result, failedReason } = await poll());
  if (result !== COMPLETED) {
    throw new KeyturnError(
      'time-skipping',
      `the server did not fast-forward workflow ${run.workflowId} (${failedReason || 'no reason given'})`,
      {
        hint: 'start it with --dynamic-config-value frontend.WorkflowTimeSkippingEnabled=true',
      },
    );
  }
}
