/**
 * The one wrapper around every activity: heartbeats on its own, passes cancellation on, and lets only ApplicationFailures with
 * safe messages out. Before anything is done or shown, the worker meets every value of the files that the activity's plan names,
 * for it may have been started after the one that staged them. An error that is no KeyturnError is a defect; its text stays in the
 * worker's log.
 */
import { CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { isTold, type AttemptFailed } from '../domain/attempts.js';
import { KeyturnError } from '../domain/errors.js';
import { redact } from '../domain/secret-value.js';
import { withScope } from './scope.js';
import { demandSameKey } from './same-key.js';
import { oneLine } from '../processes/safe-text.js';
import { hideValuesOf, meetHiddenValues, secretPlacesIn } from '../processes/hidden-files.js';

/** Well under the workflow's heartbeat timeout of 15 s, so that a busy machine does not look like a lost worker. */
const HEARTBEAT_MS = 3_000;

export interface ActivityTools {
  /** Aborted when the run is cancelled or the worker shuts down. */
  readonly signal: AbortSignal;
  /** Remembered by Temporal for the next attempt. Numbers and names only, never values. */
  readonly save: (state: unknown) => void;
  /** What the previous attempt saved last. */
  readonly saved: unknown;
  /** The run's. */
  readonly workflowId: string;
  /** Milliseconds from the first attempt to this one, by the server's clock. */
  readonly sinceFirstAttempt: number;
}

/** No failure: what is waited for is not there yet. Temporal makes the next attempt `after` so many milliseconds. */
export class NotYet extends Error {
  override readonly name = 'NotYet';

  /** @param message what is seen now, for people; it stands on the pending activity. */
  constructor(
    message: string,
    readonly after: number,
  ) {
    super(message);
  }
}

export type Log = (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;

/** Tells a run of an attempt that failed and is made again. Never rejects. */
export type TellRun = (run: { workflowId: string; runId: string }, failed: AttemptFailed) => Promise<void>;

/** @param fingerprintKey this worker's, by name (same-key.ts); left out: not compared. */
export function activityWrapper(log: Log, fingerprintKey?: string, tellRun?: TellRun) {
  return function asActivity<A extends unknown[], R>(body: (tools: ActivityTools, ...args: A) => Promise<R>) {
    return async (...args: A): Promise<R> => {
      const context = Context.current();
      let state: unknown = context.info.heartbeatDetails;
      const save = (next: unknown): void => {
        state = next;
        context.heartbeat(state);
      };
      const beat = setInterval(() => context.heartbeat(state), HEARTBEAT_MS);
      try {
        const { scheduledTimestampMs: first, currentAttemptScheduledTimestampMs: now } = context.info;
        const tools = {
          signal: context.cancellationSignal,
          save,
          saved: state,
          workflowId: context.info.workflowExecution?.workflowId ?? '',
          sinceFirstAttempt: now - first,
        };
        demandSameKey(args[0], fingerprintKey);
        for (const place of secretPlacesIn(args)) hideValuesOf(place);
        await meetHiddenValues();
        context.cancellationSignal.throwIfAborted();
        const { workflowExecution: run, activityId, activityType, attempt } = context.info;
        const purpose = {
          ...{ run: run?.workflowId ?? activityType, execution: run?.runId ?? '', part: activityId },
          again: attempt > 1,
        };
        const leftBehind = (error: unknown): void =>
          log('warn', `a login of this step was not dropped: ${redact(String(error))}`, {
            run: run?.runId,
            workflowId: run?.workflowId,
          });
        return await withScope(purpose, leftBehind, () => body(tools, ...args));
      } catch (error) {
        await meetHiddenValues();
        const failure = asFailure(error, context, log);
        await tell(failure, context, tellRun);
        throw failure;
      } finally {
        clearInterval(beat);
      }
    };
  };
}

async function tell(failure: Error, { info }: Context, tellRun: TellRun | undefined): Promise<void> {
  const { attempt, workflowExecution, retryPolicy } = info;
  const isLast = attempt === (retryPolicy?.maximumAttempts ?? 0);
  const comesAgain = failure instanceof ApplicationFailure && failure.type !== 'not-yet' && !failure.nonRetryable;
  if (!tellRun || !workflowExecution || !comesAgain || isLast || !isTold(attempt)) return;
  await tellRun(workflowExecution, { attempt, error: oneLine(failure.message) });
}

function asFailure(error: unknown, context: Context, log: Log): Error {
  const { activityType: activity, workflowExecution } = context.info;
  const where = { activity, run: workflowExecution?.runId, workflowId: workflowExecution?.workflowId };
  if (error instanceof CancelledFailure) return error;
  if (context.cancellationSignal.aborted) return new CancelledFailure('cancelled while it ran');
  if (error instanceof NotYet) {
    return ApplicationFailure.create({ type: 'not-yet', message: redact(error.message), nextRetryDelay: error.after });
  }
  if (error instanceof KeyturnError) {
    const { code, effect } = error;
    const [message, hint, diagnosis] = [redact(error.message), shown(error.hint), shown(error.diagnosis)];
    log('warn', message, { ...where, code, effect, ...(diagnosis === null ? {} : { diagnosis }) });
    return ApplicationFailure.create({
      type: code,
      message,
      nonRetryable: !error.retryable,
      details: [{ effect, hint, diagnosis }],
    });
  }
  const name = error instanceof Error ? error.name : typeof error;
  log('error', redact(error instanceof Error ? (error.stack ?? error.message) : String(error)), where);
  return ApplicationFailure.create({
    type: 'unexpected',
    message: `unexpected ${name} in ${context.info.activityType}; the worker's log has the details`,
    details: [{ effect: 'unknown', hint: `look for run ${where.run ?? '?'} in the worker's log`, diagnosis: null }],
  });
}

function shown(text: string | undefined): string | null {
  return text === undefined ? null : redact(text);
}
