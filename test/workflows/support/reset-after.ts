/** `workflow reset`, as an operator does it from the Temporal UI. */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';

/**
 * Messages sent since are applied again, as the server does by default.
 * @param place an activity: the moment when the run had the answer of its first call of it; what it began with that (a gate, say)
 * stays begun. Or `the beginning`; or `signal 1`: the moment when it had the first signal.
 * @returns the run that goes on from there.
 */
export async function resetAfter(client: Client, handle: WorkflowHandle, place: string): Promise<WorkflowHandle> {
  const { events } = await handle.fetchHistory();
  const scheduled = events?.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === place);
  const event = events?.find((one) => {
    if (place === 'the beginning') return one.workflowExecutionStartedEventAttributes;
    if (place === 'signal 1') return one.workflowExecutionSignaledEventAttributes;
    return one.activityTaskCompletedEventAttributes?.scheduledEventId?.equals(scheduled?.eventId ?? 0);
  });
  const after = event?.eventId;
  if (!after) throw new Error(`the history has no ${place}`);
  // The workflow task that took it is done anew, by the run that goes on.
  const task = events?.find((one) => one.workflowTaskCompletedEventAttributes && one.eventId?.greaterThan(after));
  if (!task) throw new Error(`no workflow task has taken ${place} yet`);
  const { workflowId } = handle;
  const { runId } = await handle.describe();
  const { runId: fresh } = await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId },
    workflowTaskFinishEventId: task.eventId ?? null,
    requestId: randomUUID(),
    reason: 'a test',
  });
  return client.workflow.getHandle(workflowId, fresh);
}
