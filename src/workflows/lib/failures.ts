/** Between domain errors and Temporal's: what leaves a workflow is an ApplicationFailure with a safe message, or a cancellation. */
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { RetryState } from '@temporalio/common';
import type { Effect } from '../../domain/errors.js';
import { KeyturnError } from '../../domain/errors.js';

/** Details that the activity wrapper puts on every ApplicationFailure. */
export interface FailureDetails {
  readonly effect: Effect;
  readonly hint: string | null;
  /** Missing in histories of workers that did not know it yet. */
  readonly diagnosis?: string | null;
}

/** A gate was rejected, or expired: the run is undone, which is not a failure. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
}

/** Somebody ended a wait to go back, or another environment of the same credential did not get there: undone, and no failure either. */
export class Aborted extends Error {
  override readonly name = 'Aborted';
}

/** Errors that end a run. Anything else is a defect of the workflow code: it must fail the task, and wait for a repaired worker. */
export function endsRun(error: unknown): error is TemporalFailure | Rejected | Aborted {
  return error instanceof TemporalFailure || isNo(error);
}

/** People wanted it undone: the run's report is its result. */
export function isNo(error: unknown): error is Rejected | Aborted {
  return error instanceof Rejected || error instanceof Aborted;
}

/** No further attempt was made, because the run had been cancelled by then. */
export function isForCancellation(error: unknown): boolean {
  return error instanceof ActivityFailure && error.retryState === RetryState.CANCEL_REQUESTED;
}

/** The innermost message: Temporal wraps it as `Activity task failed`. */
export function reasonOf(error: unknown): string {
  const inner = innermost(error);
  // Temporal says of what: `Workflow cancelled`.
  if (inner instanceof CancelledFailure) return 'cancelled';
  if (inner instanceof TimeoutFailure) return TIMEOUTS[inner.timeoutType ?? 'SCHEDULE_TO_CLOSE'] ?? inner.message;
  return inner instanceof Error ? inner.message : String(inner);
}

/** Temporal says `activity Heartbeat timeout`. */
const TIMEOUTS: Readonly<Record<string, string>> = {
  HEARTBEAT: 'its worker was lost meanwhile, and no attempt that followed came to an end: it may have been done or not',
  START_TO_CLOSE: 'it took longer than it may, at every attempt: it may have been done or not',
  SCHEDULE_TO_START: 'no worker has taken it on in the time that it may wait',
  SCHEDULE_TO_CLOSE: 'it was not done in the time that all its attempts may take: it may have been done or not',
};

export function hintOf(error: unknown): string | null {
  if (innermost(error) instanceof TimeoutFailure)
    return "see in keyturn status that a worker polls its task queue, and in the worker's log why it ended; then start the same again, which finds out how things stand";
  return detailsOf(error)?.hint ?? null;
}

/** For the step's record: why in one line, and what the failing thing last said. */
export function whatFailed(error: unknown): { error: string; diagnosis?: string } {
  const diagnosis = detailsOf(error)?.diagnosis;
  return { error: reasonOf(error), ...(diagnosis ? { diagnosis } : {}) };
}

/** No worker has taken it on. */
export function isUntaken(error: unknown): boolean {
  const inner = innermost(error);
  return inner instanceof TimeoutFailure && inner.timeoutType === 'SCHEDULE_TO_START';
}

/** The KeyturnError's code; null for what is none, such as a timeout. */
export function codeOf(error: unknown): string | null {
  const inner = innermost(error);
  return inner instanceof ApplicationFailure ? (inner.type ?? null) : null;
}

/** Unknown unless the failure says otherwise: a timeout or a lost worker leaves the question open. */
export function effectOf(error: unknown): Effect {
  return detailsOf(error)?.effect ?? 'unknown';
}

/** An answer to people, for good. Without a stack: it is no crash, and the UI shows one under every message that has it. */
export function answer(type: string, message: string, details: unknown[] = []): ApplicationFailure {
  const failure = ApplicationFailure.create({ type, message, nonRetryable: true, details });
  failure.stack = '';
  return failure;
}

export function asApplicationFailure(error: unknown): unknown {
  if (!(error instanceof KeyturnError)) return error;
  const details: FailureDetails = { effect: error.effect, hint: error.hint ?? null };
  return answer(error.code, error.message, [details]);
}

function innermost(error: unknown): unknown {
  return (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) && error.cause
    ? innermost(error.cause)
    : error;
}

function detailsOf(error: unknown): FailureDetails | undefined {
  const inner = innermost(error);
  return inner instanceof ApplicationFailure ? (inner.details?.[0] as FailureDetails | undefined) : undefined;
}
