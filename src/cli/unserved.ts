/**
 * Task queues that a run waits for and nobody polls. Nothing else would tell: an activity may wait for a worker for as long as it
 * takes, and the run looks as if it worked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import protos from '@temporalio/proto';
import { describeRun } from './runs.js';
import { fromTemporal, within, type TemporalClient } from './temporal.js';

const CALL_TIMEOUT_MS = 10_000;
/** A worker polls at least once a minute; the server names it for five more after it has gone. */
const GONE_AFTER_MS = 90_000;
/** One that has just been started has not asked for work yet. */
const STARTING = { looks: 3, everyMs: 500 };
/** However busy it is, a worker that is there has begun with what waits for it by then. */
export const TAKEN_WITHIN_MS = 60_000;
/** A worker that is there takes what is due at once. */
const DUE_MS = 5_000;
const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = protos.temporal.api.enums.v1.TaskQueueType;
const KINDS = { activity: TASK_QUEUE_TYPE_ACTIVITY, workflow: TASK_QUEUE_TYPE_WORKFLOW } as const;
/** No worker has taken it. */
const SCHEDULED = protos.temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED;

/** @throws KeyturnError `temporal-unavailable`. */
export async function isPolled(
  temporal: TemporalClient,
  taskQueue: string,
  { kind = 'activity', now = Date.now() }: { kind?: keyof typeof KINDS; now?: number } = {},
): Promise<boolean> {
  const { connection, options } = temporal.client;
  try {
    const { pollers } = await within(temporal, CALL_TIMEOUT_MS, () =>
      connection.workflowService.describeTaskQueue({
        namespace: options.namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: KINDS[kind],
      }),
    );
    return pollers.some(({ lastAccessTime: at }) => at && now - Number(at.seconds) * 1_000 < GONE_AFTER_MS);
  } catch (error) {
    throw fromTemporal(error, temporal.address);
  }
}

/** The same, but one that is just starting counts too. @throws KeyturnError `temporal-unavailable`. */
export async function isPolledSoon(temporal: TemporalClient, taskQueue: string): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    if (await isPolled(temporal, taskQueue)) return true;
    if (look === STARTING.looks) return false;
    await sleep(STARTING.everyMs);
  }
}

/** Of these, those that nobody polls, each once. @throws KeyturnError `temporal-unavailable`. */
export async function unpolled(temporal: TemporalClient, queues: readonly string[]): Promise<string[]> {
  const once = [...new Set(queues)];
  const polled = await Promise.all(once.map((queue) => isPolledSoon(temporal, queue)));
  return once.filter((_, index) => !polled[index]);
}

/** @returns their names; none when the run works, or waits for people or a time. @throws KeyturnError `temporal-unavailable`. */
export async function unservedQueues(temporal: TemporalClient, workflowId: string, runId?: string): Promise<string[]> {
  const description = await describeRun(temporal, workflowId, runId);
  if (description?.status.name !== 'RUNNING') return [];
  const due = (description.raw.pendingActivities ?? []).filter(
    ({ state, attempt, scheduledTime }) =>
      state === SCHEDULED && (attempt ?? 1) <= 1 && Date.now() - Number(scheduledTime?.seconds ?? 0) * 1_000 > DUE_MS,
  );
  if (due.length === 0) return [];
  const queues = await queuesOf(temporal, workflowId, new Set(due.map(({ activityId }) => activityId)));
  const polled = await Promise.all(queues.map((queue) => isPolled(temporal, queue)));
  return queues.filter((_, index) => !polled[index]);
}

export function noWorkerText(queue: string): string {
  return `no worker polls the task queue "${queue}"`;
}

export function workerHint(queues: readonly string[]): string {
  return `start one where the secrets are: ${queues.map((queue) => `keyturn worker --task-queue ${queue}`).join(' and ')}`;
}

/** Of a run that was started. @param more hint besides. */
export function waitsUnserved(queues: readonly string[], more: string | null = null): readonly string[] {
  const hints = [workerHint(queues), ...(more === null ? [] : [more])];
  return [
    `error: ${queues.map(noWorkerText).join('; ')}: the run is started, and waits until one does`,
    `hint: ${hints.join('; ')}`,
  ];
}

export function unservedText(queue: string): string {
  return `${noWorkerText(queue)}: the run goes on as soon as one does (keyturn worker --task-queue ${queue})`;
}

/** Only history says to which queue an activity went. */
async function queuesOf(
  temporal: TemporalClient,
  workflowId: string,
  activities: ReadonlySet<string | null | undefined>,
): Promise<string[]> {
  try {
    const { events } = await within(temporal, CALL_TIMEOUT_MS, () =>
      temporal.client.workflow.getHandle(workflowId).fetchHistory(),
    );
    const names = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.taskQueue?.name && activities.has(scheduled.activityId) ? [scheduled.taskQueue.name] : [],
    );
    return [...new Set(names)];
  } catch (error) {
    throw fromTemporal(error, temporal.address);
  }
}
