/** A run as it is reported and as it stands in the ledger. */
import { workflowInfo } from '@temporalio/workflow';
import { LONGEST_NOTE } from '../../domain/messages.js';
import { cut, remark } from '../../domain/one-line.js';
import type { RotationPlan } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import type { Outcome, RotationReport, StepRecord } from '../../domain/report.js';
import { persistentEffects } from './activities.js';
import type { Course } from './course.js';
import { endsRun, reasonOf } from './failures.js';
import type { Gatekeeper } from './gatekeeper.js';
import type { Resets } from './resets.js';

/** Why stands at the step that ended the run; of the others people are told otherwise. */
const WENT_BACK: readonly Outcome[] = ['rejected', 'aborted', 'rolled back'];

export interface Row {
  readonly sequence: number | null;
  readonly nextDueAt: string | null;
}

/** @returns `failed` when the ledger cannot be written; what a person must do then is on the course's list. */
export async function recordRun(course: Course, outcome: Outcome): Promise<Row | 'failed'> {
  const { plan, board, gates, lasting, earlier, todo } = course;
  const failed = WENT_BACK.includes(outcome) ? course.failedStep() : undefined;
  const why = failed ? [`${failed.name}: ${failed.error ?? ''}`] : [];
  const notes = [
    ...(plan.note ? [remark(plan.note, LONGEST_NOTE)] : []),
    ...gates.notes,
    ...cancelledBy(outcome, gates),
    ...(outcome === 'completed' ? [] : lasting),
    ...(earlier.stands ? [earlier.stands.line] : []),
    ...(earlier.older === null ? [] : [olderInUse(earlier.older)]),
    ...why,
    ...todo,
  ].join('; ');
  board.begin('record');
  try {
    const report = reportOf(course, outcome, { sequence: null, nextDueAt: null });
    const row = await persistentEffects(`Record: ${outcome}`).recordRotation({
      ...report,
      // What the plan decided is evidence; among the notes it would hide what people did.
      steps: [...pinned(plan), ...report.steps],
      requestId: requestInThisRun(plan, gates.resets),
      kind: plan.kind,
      reason: plan.reason,
      cadence: plan.cadence,
      notes,
    });
    board.end('record', { state: 'done', evidence: { summary: `ledger row ${row.sequence}` } });
    return row;
  } catch (error) {
    if (!endsRun(error)) throw error;
    board.end('record', { state: 'failed', error: reasonOf(error) });
    todo.push(`enter this rotation in the ledger: the attempt failed with ${reasonOf(error)}`);
    return 'failed';
  }
}

export function reportOf(course: Course, outcome: Outcome, row: Row): RotationReport {
  const { plan, board, gates, todo, recordable } = course;
  const lasting = outcome === 'completed' ? [] : course.stays();
  return {
    ref: formatRef(plan.ref),
    outcome,
    method: plan.method,
    operator: plan.operator,
    requestId: plan.requestId,
    startedAt: course.startedAt,
    finishedAt: new Date(Date.now()).toISOString(),
    steps: board.steps,
    refusals: [...gates.refusals],
    proof: outcome === 'completed' || (outcome === 'stopped' && course.pastNoReturn) ? course.proof : null,
    ledgerSequence: row.sequence,
    nextDueAt: row.nextDueAt,
    todo: [...todo],
    ...(course.earlier.older !== null && outcome === 'completed' ? { again: true as const } : {}),
    ...(lasting.length > 0 ? { lasting } : {}),
    ...(outcome === 'rolled back' && !recordable ? { notBegun: true as const } : {}),
  };
}

/** Who says to have cancelled it; of a run that was. */
export function cancelledBy(outcome: Outcome, { cancelledBy: by }: Pick<Gatekeeper, 'cancelledBy'>): string[] {
  return outcome === 'cancelled' && by !== null ? [`cancelled by ${by}`] : [];
}

/** The plan's decisions as the evidence of its being pinned, which came before the first step. */
function pinned({ decisions }: RotationPlan): StepRecord[] {
  if (decisions.length === 0) return [];
  const summary = decisions.map((line) => cut(line, 120)).join('; ');
  return [{ name: 'Pin the plan', state: 'done', evidence: { summary } }];
}

/**
 * The ledger keeps one row a request. A run that ended, was recorded and is then reset keeps its request (what it staged is
 * still its own), but what it does now is another event, with a row of its own.
 */
export function requestInThisRun({ requestId }: Pick<RotationPlan, 'requestId'>, resets: Resets): string {
  return resets.happened ? `${requestId}, reset as ${workflowInfo().runId}` : requestId;
}

/** Of a run that has gone on with an earlier one's value. */
export function olderInUse(rotation: string): string {
  return `this run went on with the value of run ${rotation}, which is older than the report of the leak`;
}
