/** `workflow reset`, as an operator does it from the Temporal UI. */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';

/**
 * @param what an activity: to the moment when the run had the answer of its first call of it; what it began with that (a gate, say)
 * stays begun. Or `the beginning`; or `signal 1`: to the moment after the first signal.
 * @returns the run that goes on from there.
 */
export async function resetAfter(client: Client, handle: WorkflowHandle, what: string): Promise<WorkflowHandle> {
  const { events } = await handle.fetchHistory();
  const scheduled = events?.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === what);
  const place = events?.find((event) =>
    what === 'the beginning'
      ? event.workflowExecutionStartedEventAttributes
      : what === 'signal 1'
        ? event.workflowExecutionSignaledEventAttributes
        : event.activityTaskCompletedEventAttributes?.scheduledEventId?.equals(scheduled?.eventId ?? 0),
  );
  if (!place?.eventId) throw new Error(`the history has no ${what}`);
  const after = place.eventId;
  const done = events?.find((event) => event.workflowTaskCompletedEventAttributes && event.eventId?.greaterThan(after));
  const { workflowId } = handle;
  const { runId } = await handle.describe();
  const { runId: fresh } = await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId },
    workflowTaskFinishEventId: done?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'a test',
  });
  return client.workflow.getHandle(workflowId, fresh);
}
