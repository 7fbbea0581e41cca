/** A secret through the environments of a system, each to its end before the next begins. */
import { getExternalWorkflowHandle, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { RotateInput } from '../../domain/messages.js';
import { formatRef, rotationWorkflowId, type SecretRef } from '../../domain/refs.js';
import type { RotationReport } from '../../domain/report.js';
import type { RolloutReport } from '../../domain/status.js';
import { effects } from './activities.js';
import { approveSignal, rejectSignal } from './gate-messages.js';
import { holdsUpNobody, rolloutDetails, startInEnvironment } from './rollout-runs.js';

export async function oneAfterTheOther(request: RotateInput): Promise<RolloutReport> {
  const refs = await effects('Find the environments').expandRequest(request);
  const reports: RotationReport[] = [];
  const ended = new Map<SecretRef, string>();
  let leftToPeople: unknown = null;
  const show = (current: SecretRef | null): void => {
    const now = (ref: SecretRef): string =>
      ref === current ? 'under way (its own run says what it waits for)' : current === null ? 'not begun' : 'to come';
    setCurrentDetails(rolloutDetails(request, refs, (ref) => ended.get(ref) ?? now(ref)));
  };
  for (const ref of refs) {
    forwardDecisions(ref);
    show(ref);
    try {
      const report = await startInEnvironment(request, ref, 'waits');
      reports.push(report);
      ended.set(ref, report.outcome);
      // A rejection in staging is also a no to production.
      if (report.outcome !== 'completed') break;
    } catch (failure) {
      if (!holdsUpNobody(request, failure)) throw failure;
      ended.set(ref, 'stopped');
      leftToPeople ??= failure;
    }
  }
  show(null);
  if (leftToPeople !== null) throw leftToPeople as Error;
  return { ref: formatRef(request), reports };
}

/** A signal sent to the parent, where the person who started it looks, reaches the gate of the environment that runs. */
function forwardDecisions(ref: SecretRef): void {
  const child = getExternalWorkflowHandle(rotationWorkflowId(ref));
  for (const signal of [approveSignal, rejectSignal]) {
    setHandler(
      signal,
      async (decision) => {
        try {
          await child.signal(signal, decision);
        } catch {
          // The child has ended meanwhile: there is no gate left to decide.
        }
      },
      { description: `Passed on to ${rotationWorkflowId(ref)}` },
    );
  }
}
