/** The runs of a rollout: one environment's run under its own lock, started by the run that leads them. */
import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy, workflowInfo } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { RotateInput } from '../../domain/messages.js';
import { isExposed } from '../../domain/reason.js';
import { formatRef, rotationWorkflowId, type SecretRef } from '../../domain/refs.js';
import type { RotationReport } from '../../domain/report.js';
import { FAILURE_TYPES } from '../../domain/status.js';
import { effects } from './activities.js';
import { answer, codeOf } from './failures.js';

/** @param how `leads`: the child reports to this run, and waits for its word. */
export async function startInEnvironment(
  request: RotateInput,
  ref: SecretRef,
  how: 'leads' | 'waits',
): Promise<RotationReport> {
  const { workflowType, taskQueue, workflowId: leader } = workflowInfo();
  const workflowId = rotationWorkflowId(ref);
  try {
    return (await executeChild(workflowType, {
      workflowId,
      taskQueue,
      args: [{ ...request, environment: ref.environment, ...(how === 'leads' ? { leader } : {}) }],
      // A parent that is terminated must not take a half-done rotation with it; one that is cancelled has it undone.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `Rotate ${formatRef(ref)} (${request.reason}), asked for by ${request.operator}`,
    })) as RotationReport;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const holder = await effects('Find the run that holds this secret').findHolder(workflowId);
    const which = holder
      ? `run ${holder.runId}, started ${holder.startedAt}, now: ${holder.phase ?? 'starting'}`
      : 'another run';
    throw answer(FAILURE_TYPES.held, `${formatRef(ref)} is being rotated already: workflow ${workflowId}, ${which}`);
  }
}

/**
 * Where others may have the values, an environment that is on its new one and left people a list holds up no other: the values there
 * are not kept in use for the sake of that list.
 */
export function holdsUpNobody({ reason }: RotateInput, failure: unknown): boolean {
  return isExposed(reason) && codeOf(failure) === FAILURE_TYPES.stopped;
}

/** What people see of the leading run. */
export function rolloutDetails(
  request: RotateInput,
  refs: readonly SecretRef[],
  stateOf: (ref: SecretRef) => string,
): string {
  return [
    `## Rotate ${formatRef(request)}`,
    '',
    'One environment after the other; approve or reject in the run that waits, or here by signal.',
    '',
    ...refs.map((ref) => `- **${formatRef(ref)}**: ${stateOf(ref)}, in workflow \`${rotationWorkflowId(ref)}\``),
  ].join('\n');
}
