/** How long an attempt of an activity may take, as the history has it. */
import type { WorkflowHandle } from '@temporalio/client';

/** Seconds, for each call of the activity in order. */
export async function limitsOf(handle: WorkflowHandle, activity: string): Promise<number[]> {
  const { events = [] } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: call }) =>
    call?.activityType?.name === activity ? [Number(call.startToCloseTimeout?.seconds)] : [],
  );
}
