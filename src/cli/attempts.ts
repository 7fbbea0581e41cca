/** What a run's activities have failed with, and when they are tried again: only Temporal knows, at any moment. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { inWords } from '../domain/attempts.js';
import type { RunStatus } from '../domain/status.js';

/** @returns null: nothing has failed that is tried again. */
export function troubleIn(description: WorkflowExecutionDescription | null, now = Date.now()): string | null {
  for (const { attempt, lastFailure, scheduledTime } of description?.raw.pendingActivities ?? []) {
    const failed = (attempt ?? 1) - 1;
    // Waiting is no failure, and a cancellation is somebody's will.
    if (failed < 1 || !lastFailure || lastFailure.applicationFailureInfo?.type === 'not-yet') continue;
    const next = Number(scheduledTime?.seconds ?? 0) * 1_000;
    const at = next > now ? new Date(next).toISOString() : undefined;
    const lost = lastFailure.timeoutFailureInfo ? 'its worker was lost, or it took too long' : null;
    return inWords(failed, lost ?? lastFailure.message ?? 'without a word', at);
  }
  return null;
}

/** What Temporal says of it now, in place of what the run was last told. */
export function withTrouble(status: RunStatus, description: WorkflowExecutionDescription | null): RunStatus {
  const now = troubleIn(description);
  return now === null ? status : { ...status, trouble: now };
}
