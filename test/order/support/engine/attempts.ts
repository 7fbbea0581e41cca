/** One activity of a run: its attempts, as a worker makes them and a server counts them. */
import { MockActivityEnvironment } from '@temporalio/testing';
import {
  ApplicationFailure,
  CancelledFailure,
  defaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import { DefaultLogger } from '@temporalio/worker';
import type { coresdk } from '@temporalio/proto';

export type Result = coresdk.activity_result.IActivityResolution;

/** temporal.api.enums.v1.RetryState */
const RETRY_STATES = { nonRetryable: 2, outOfAttempts: 4, cancelRequested: 7 } as const;

/** It would tell of every disturbance. */
const SILENT = new DefaultLogger('ERROR', () => undefined);

/** What the workflow asked for. */
export interface Scheduled {
  readonly activityId: string;
  readonly activityType: string;
  readonly args: unknown[];
  readonly retryPolicy: coresdk.workflow_commands.IScheduleActivity['retryPolicy'];
  readonly waitsForCancellation: boolean;
  readonly isLocal: boolean;
}

/** What an activity needs of its run. */
export interface Around {
  readonly workflowId: string;
  readonly runId: string;
  carry(name: string, args: unknown[]): Promise<unknown>;
  /** Calls back once so much time has passed. @returns takes it back. */
  after(milliseconds: number, body: () => void): () => void;
  resolve(result: Result): void;
  now(): number;
}

export class Attempts {
  private attempt = 0;
  private cancelled = false;
  private over = false;
  private environment: MockActivityEnvironment | null = null;
  private takeBack: () => void = () => undefined;
  private readonly first: number;

  constructor(
    private readonly of: Scheduled,
    private readonly around: Around,
  ) {
    this.first = around.now();
  }

  /** Is something going on that time must not overtake? */
  get underWay(): boolean {
    return !this.over && this.environment !== null;
  }

  next(): void {
    this.attempt += 1;
    const { of, around, attempt } = this;
    const environment = new MockActivityEnvironment(
      {
        ...{ attempt, activityId: of.activityId, activityType: of.activityType, isLocal: of.isLocal },
        workflowExecution: { workflowId: around.workflowId, runId: around.runId },
        scheduledTimestampMs: this.first,
        currentAttemptScheduledTimestampMs: around.now(),
      },
      { logger: SILENT },
    );
    this.environment = environment;
    environment
      .run(() => around.carry(of.activityType, of.args))
      .then(
        (result: unknown) => this.end({ completed: { result: defaultPayloadConverter.toPayload(result) } }),
        (error: unknown) => this.failed(error),
      );
  }

  cancel(): void {
    if (this.over || this.cancelled) return;
    this.cancelled = true;
    const { environment } = this;
    // Between two attempts, or not to be waited for: there is nothing that could answer.
    if (environment === null || !this.of.waitsForCancellation) this.end(this.cancellation());
    environment?.cancel();
  }

  /** Its run is gone. */
  drop(): void {
    this.over = true;
    this.takeBack();
    this.environment?.cancel();
  }

  private failed(error: unknown): void {
    this.environment = null;
    if (this.over) return;
    if (error instanceof CancelledFailure && this.cancelled) {
      this.end(this.cancellation());
      return;
    }
    const failure = error instanceof ApplicationFailure ? error : ApplicationFailure.fromError(error);
    const why = this.noNextAttempt(failure);
    if (why === null) this.takeBack = this.around.after(this.pause(failure), () => this.next());
    else this.fail(failure, why);
  }

  private noNextAttempt({ nonRetryable }: ApplicationFailure): number | null {
    const most = this.of.retryPolicy?.maximumAttempts ?? 0;
    if (nonRetryable) return RETRY_STATES.nonRetryable;
    if (this.cancelled) return RETRY_STATES.cancelRequested;
    return most > 0 && this.attempt >= most ? RETRY_STATES.outOfAttempts : null;
  }

  private pause({ nextRetryDelay }: ApplicationFailure): number {
    if (typeof nextRetryDelay === 'number') return nextRetryDelay;
    const { initialInterval, backoffCoefficient, maximumInterval } = this.of.retryPolicy ?? {};
    const first = optionalTsToMs(initialInterval) ?? 1_000;
    const most = optionalTsToMs(maximumInterval) ?? 100 * first;
    return Math.min(most, first * (backoffCoefficient ?? 2) ** (this.attempt - 1));
  }

  private fail(failure: ApplicationFailure, retryState: number): void {
    const cause = defaultFailureConverter.errorToFailure(failure, defaultPayloadConverter);
    this.end({ failed: { failure: { ...this.wrapped('Activity task failed', retryState), cause } } });
  }

  private cancellation(): Result {
    const cause = { message: 'Activity cancelled', canceledFailureInfo: {} };
    return { cancelled: { failure: { ...this.wrapped('Activity cancelled', 0), cause } } };
  }

  private wrapped(message: string, retryState: number): object {
    const { activityId, activityType } = this.of;
    return { message, activityFailureInfo: { activityId, activityType: { name: activityType }, retryState } };
  }

  private end(result: Result): void {
    if (this.over) return;
    this.over = true;
    this.takeBack();
    this.around.resolve(result);
  }
}
