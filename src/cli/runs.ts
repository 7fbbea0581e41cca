/** Finding a run in Temporal and asking it how it stands. */
import { QueryNotRegisteredError, type WorkflowExecutionDescription } from '@temporalio/client';
import { STATUS_QUERY } from '../domain/messages.js';
import type { RotationReport } from '../domain/report.js';
import type { RolloutReport, RunStatus } from '../domain/status.js';
import { withTrouble } from './attempts.js';
import {
  applicationFailureOf,
  fromTemporal,
  isNoWorker,
  isTaskFailing,
  isUntaken,
  within,
  type TemporalClient,
} from './temporal.js';

/** A worker answers in milliseconds; one that must first replay a long history, in a second or two. */
const QUERY_TIMEOUT_MS = 5_000;
const CALL_TIMEOUT_MS = 10_000;

/** The latest run under this id, running or closed; `null` when there never was one (or it is past its retention). */
export async function describeRun(
  temporal: TemporalClient,
  workflowId: string,
  runId?: string,
): Promise<WorkflowExecutionDescription | null> {
  try {
    return await within(temporal, CALL_TIMEOUT_MS, () =>
      temporal.client.workflow.getHandle(workflowId, runId).describe(),
    );
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return null;
    throw fromTemporal(error, temporal.address);
  }
}

/** `starting`: its plan is not made yet (nor ever, in a run that ended before), or it leads others, which answer. */
export type Answer = RunStatus | 'starting' | Silence;

/** `task failing`: a defect in the run's code, or another version of it on the worker. */
export type Silence = 'no worker' | 'task failing';

export const SILENCE: Readonly<Record<Silence, string>> = {
  'no worker': 'no worker answers for this run; it goes on as soon as one does',
  'task failing':
    "this run's code fails on its worker, whose log says why; it goes on as soon as a repaired worker runs",
};

export function isSilence(answer: Answer): answer is Silence {
  return typeof answer === 'string' && answer in SILENCE;
}

/** The run's own account of itself. @throws KeyturnError when Temporal does not answer. */
export async function askStatus(temporal: TemporalClient, workflowId: string, runId?: string): Promise<Answer> {
  try {
    const handle = temporal.client.workflow.getHandle(workflowId, runId);
    return await within(temporal, QUERY_TIMEOUT_MS, () => handle.query<RunStatus>(STATUS_QUERY));
  } catch (error) {
    if (isNoWorker(error)) return 'no worker';
    if (isTaskFailing(error)) return 'task failing';
    if (error instanceof QueryNotRegisteredError || isUntaken(error)) return 'starting';
    throw fromTemporal(error, temporal.address);
  }
}

/** The same, where nothing but a status helps. */
export async function queryStatus(
  temporal: TemporalClient,
  workflowId: string,
  runId?: string,
): Promise<RunStatus | null> {
  const answer = await askStatus(temporal, workflowId, runId);
  return typeof answer === 'string' ? null : answer;
}

export interface Ending {
  /** Reports of a single run or of a rollout's runs, in order; empty when the run was terminated or failed before it began. */
  readonly reports: readonly RotationReport[];
  /** Set when the run failed. */
  readonly failure: Failed | null;
}

export interface Failed {
  readonly type: string;
  readonly message: string;
  readonly hint: string | null;
}

/** How a run ended, from its history alone: no worker is needed. Waits until it has ended. */
export async function readEnding(temporal: TemporalClient, workflowId: string, runId: string): Promise<Ending> {
  try {
    const result: unknown = await temporal.client.workflow.result(workflowId, runId, { followRuns: false });
    return { reports: reportsIn(result), failure: null };
  } catch (error) {
    const failure = failureIn(error);
    if (failure) return { reports: reportsIn(applicationFailureOf(error)?.details?.[0]), failure };
    throw fromTemporal(error, temporal.address);
  }
}

/** How a workflow failed; null: the error is of another kind. */
export function failureIn(error: unknown): Failed | null {
  const failure = applicationFailureOf(error);
  if (failure) {
    const [details] = failure.details ?? [];
    const hint = typeof details === 'object' && details !== null && 'hint' in details ? details.hint : null;
    return { type: failure.type ?? 'unknown', message: failure.message, hint: typeof hint === 'string' ? hint : null };
  }
  if (!(error instanceof Error) || error.name !== 'WorkflowFailedError') return null;
  const cause = error.cause instanceof Error ? error.cause : error;
  const type = cause.name === 'CancelledFailure' ? 'cancelled' : cause.name;
  return { type, message: cause.message, hint: null };
}

export interface RunView {
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  /** Temporal's word: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED, TIMED_OUT. */
  readonly state: string;
  /** null when history has a report. */
  readonly status: Answer | null;
  readonly ending: Ending | null;
  /** False: it has ended before any worker took it on. */
  readonly taken: boolean;
  /** It was asked for, which a run says itself once it has a worker. */
  readonly cancelRequested: boolean;
}

/** Everything that can be known about a run. */
export async function viewRun(temporal: TemporalClient, description: WorkflowExecutionDescription): Promise<RunView> {
  const { workflowId, runId } = description;
  const state = description.status.name;
  const closed = state !== 'RUNNING';
  const ending = closed ? await readEnding(temporal, workflowId, runId) : null;
  // A closed run answers from its report where it left one; a query would need a worker to replay it.
  const answer = ending?.reports.length ? null : await askStatus(temporal, workflowId, runId);
  const status = typeof answer === 'object' && answer !== null ? withTrouble(answer, description) : answer;
  return {
    workflowId,
    runId,
    startedAt: description.startTime.toISOString(),
    state,
    status,
    ending,
    taken: answer !== 'starting' || state === 'RUNNING' || (await hasBegun(temporal, description)),
    cancelRequested: description.raw.workflowExtendedInfo?.cancelRequested ?? false,
  };
}

/** Whether a worker has ever carried out a part of it. A run that was reset has a past of which its own history may not tell. */
export async function hasBegun(
  temporal: TemporalClient,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string },
): Promise<boolean> {
  try {
    const { events } = await within(temporal, CALL_TIMEOUT_MS, () =>
      temporal.client.workflow.getHandle(workflowId, runId).fetchHistory(),
    );
    const started = events?.[0]?.workflowExecutionStartedEventAttributes;
    if (started?.originalExecutionRunId !== runId) return true;
    return (events ?? []).some((event) => event.workflowTaskCompletedEventAttributes);
  } catch (error) {
    throw fromTemporal(error, temporal.address);
  }
}

function reportsIn(value: unknown): RotationReport[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('reports' in value && Array.isArray(value.reports)) return [...(value as RolloutReport).reports];
  return 'outcome' in value && 'steps' in value ? [value as RotationReport] : [];
}
