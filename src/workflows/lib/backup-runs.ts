/** Several backups one after the other, each in a run under its own lock. They do not depend on each other: one that fails keeps none back. */
import {
  ApplicationFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { backupWorkflowId, formatBackup, type BackupRef } from '../../domain/backup.js';
import type { BackupInput } from '../../domain/messages.js';
import type { RotationReport } from '../../domain/report.js';
import { FAILURE_TYPES, type RolloutReport } from '../../domain/status.js';
import { effects } from './activities.js';
import { answer, endsRun, reasonOf } from './failures.js';

/** @throws ApplicationFailure with the reports in its details when one of them did not complete. */
export async function backUpEach(request: BackupInput): Promise<RolloutReport> {
  const refs = await effects('Find the backups').expandBackups(request);
  const reports: RotationReport[] = [];
  const failures: { readonly type: string; readonly text: string }[] = [];
  const states = new Map<BackupRef, string>();
  for (const ref of refs) {
    states.set(ref, 'under way');
    show(request, refs, states);
    try {
      const report = await backUpOne(request, ref);
      reports.push(report);
      states.set(ref, report.outcome);
    } catch (error) {
      if (isCancellation(error) || !endsRun(error)) throw error;
      const { type, report } = failureIn(error);
      if (report) reports.push(report);
      failures.push({ type, text: `${formatBackup(ref)}: ${reasonOf(error)}` });
      states.set(ref, `failed: ${reasonOf(error)}`);
    }
  }
  show(request, refs, states);
  const all = { ref: formatBackup(request), reports };
  const [first] = failures;
  if (!first) return all;
  const text = `${failures.length} of ${refs.length} backups failed: ${failures.map((one) => one.text).join('; ')}`;
  // A person must look: where even one stopped, that is what the whole is.
  const type = failures.some((one) => one.type === FAILURE_TYPES.stopped) ? FAILURE_TYPES.stopped : first.type;
  throw answer(type, text, [all]);
}

async function backUpOne({ operator, note }: BackupInput, ref: BackupRef): Promise<RotationReport> {
  const { workflowType, taskQueue } = workflowInfo();
  const workflowId = backupWorkflowId(ref);
  try {
    return (await executeChild(workflowType, {
      workflowId,
      taskQueue,
      args: [{ ...ref, operator, ...(note === undefined ? {} : { note }) }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `Back up ${formatBackup(ref)}, asked for by ${operator}`,
    })) as RotationReport;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const holder = await effects('Find the run that makes this backup').findHolder(workflowId);
    const which = holder ? `run ${holder.runId}, started ${holder.startedAt}` : 'another run';
    throw answer(FAILURE_TYPES.held, `it is being made already: workflow ${workflowId}, ${which}`);
  }
}

function failureIn(error: Error): { type: string; report: RotationReport | null } {
  const inner = error instanceof ChildWorkflowFailure ? error.cause : error;
  if (!(inner instanceof ApplicationFailure)) return { type: FAILURE_TYPES.stopped, report: null };
  const [report] = inner.details ?? [];
  const isReport = typeof report === 'object' && report !== null && 'outcome' in report;
  return { type: inner.type ?? FAILURE_TYPES.stopped, report: isReport ? (report as RotationReport) : null };
}

function show(request: BackupInput, refs: readonly BackupRef[], states: ReadonlyMap<BackupRef, string>): void {
  const lines = refs.map(
    (ref) => `- **${formatBackup(ref)}**: ${states.get(ref) ?? 'to come'}, in workflow \`${backupWorkflowId(ref)}\``,
  );
  setCurrentDetails([`## Back up ${formatBackup(request)}`, '', ...lines].join('\n'));
}
