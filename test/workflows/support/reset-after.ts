/** `workflow reset`, as an operator does it from the Temporal UI. */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';

/**
 * To the moment when a run had the answer of its first call of this activity. What it began with that (a gate, say) stays begun.
 * @returns the run that goes on from there.
 */
export async function resetAfter(client: Client, handle: WorkflowHandle, activity: string): Promise<WorkflowHandle> {
  const { events } = await handle.fetchHistory();
  const scheduled = events?.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
  );
  const completed = events?.find((event) =>
    event.activityTaskCompletedEventAttributes?.scheduledEventId?.equals(scheduled?.eventId ?? 0),
  );
  const done = events?.find(
    (event) => event.workflowTaskCompletedEventAttributes && event.eventId?.greaterThan(completed?.eventId ?? 0),
  );
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
