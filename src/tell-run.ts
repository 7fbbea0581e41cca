/** How a worker tells a run of an attempt that failed: a workflow does not hear of its activities' attempts. */
import type { Client } from '@temporalio/client';
import type { TellRun } from './activities/as-activity.js';
import { ATTEMPT_FAILED } from './domain/attempts.js';

/** The attempt is over by then; who waits for the next one must not wait for this. */
const LIMIT_MS = 3_000;

export function tellRun(client: Client): TellRun {
  return async ({ workflowId, runId }, failed) => {
    const handle = client.workflow.getHandle(workflowId, runId);
    // A run that cannot be told goes on all the same: the pending activity shows it too.
    await client.connection
      .withDeadline(Date.now() + LIMIT_MS, () => handle.signal(ATTEMPT_FAILED, failed))
      .catch(() => undefined);
  };
}
