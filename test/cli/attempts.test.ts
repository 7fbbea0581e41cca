/** What is said of a step that is tried again, and of a run that cannot be asked: from what Temporal answers. */
import { ServiceError, type WorkflowExecutionDescription } from '@temporalio/client';
import { expect, test } from 'vitest';
import { troubleIn } from '../../src/cli/attempts.js';
import { isNoWorker, isTaskFailing } from '../../src/cli/temporal.js';

const NOW = Date.parse('2026-11-21T10:00:00.000Z');

function pending(...activities: readonly object[]): WorkflowExecutionDescription {
  return { raw: { pendingActivities: activities } } as unknown as WorkflowExecutionDescription;
}

const at = (seconds: number): object => ({ seconds: NOW / 1_000 + seconds });

test('a failed attempt is told with its number, why, and when the next one comes', () => {
  const failed = { attempt: 4, lastFailure: { message: 'no space left\non the device' }, scheduledTime: at(30) };
  expect(troubleIn(pending(failed), NOW)).toBe(
    'attempt 3 failed: no space left ⏎ on the device; it is tried again at 2026-11-21T10:00:30.000Z',
  );
  expect(troubleIn(pending({ ...failed, scheduledTime: at(-1) }), NOW)).toMatch(/; it is tried again$/);
});

test('a lost worker is told as that, not in words of Temporal', () => {
  const lost = { attempt: 2, lastFailure: { message: 'activity Heartbeat timeout', timeoutFailureInfo: {} } };
  expect(troubleIn(pending(lost), NOW)).toBe(
    'attempt 1 failed: its worker was lost, or it took too long; it is tried again',
  );
});

test('waiting is no failure, and what waits does not hide what fails', () => {
  const first = { attempt: 1 };
  const waits = { attempt: 9, lastFailure: { message: 'held by', applicationFailureInfo: { type: 'not-yet' } } };
  expect(troubleIn(pending(first, waits), NOW)).toBeNull();
  expect(troubleIn(pending(waits, { attempt: 2, lastFailure: { message: 'refused' } }), NOW)).toContain('refused');
  expect(troubleIn(null, NOW)).toBeNull();
});

test('code that fails on its worker is told apart from no worker', () => {
  const answered = (details: string): ServiceError =>
    new ServiceError('failed', { cause: Object.assign(new Error(details), { code: 9, details, metadata: {} }) });
  const failing = answered('Cannot query workflow due to Workflow Task in failed state.');
  const nobody = answered('no poller seen for task queue recently, worker may be down');
  expect([isTaskFailing(failing), isNoWorker(failing)]).toEqual([true, false]);
  expect([isTaskFailing(nobody), isNoWorker(nobody)]).toEqual([false, true]);
});
