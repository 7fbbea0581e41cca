/** A secret through the environments of a system, each to its end before the next begins. */
import { getExternalWorkflowHandle, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { RotateInput } from '../../domain/messages.js';
import { formatRef, rotationWorkflowId, type SecretRef } from '../../domain/refs.js';
import type { RotationReport } from '../../domain/report.js';
import type { RolloutReport } from '../../domain/status.js';
import { effects } from './activities.js';
import { approveSignal, rejectSignal } from './gatekeeper.js';
import { rolloutDetails, startInEnvironment } from './rollout-runs.js';

export async function oneAfterTheOther(request: RotateInput): Promise<RolloutReport> {
  const refs = await effects('Find the environments').expandRequest(request);
  const reports: RotationReport[] = [];
  const show = (current: string): void =>
    setCurrentDetails(
      rolloutDetails(request, refs, (ref) => {
        const index = refs.indexOf(ref);
        return reports[index]?.outcome ?? (index === reports.length ? current : 'to come');
      }),
    );
  for (const ref of refs) {
    forwardDecisions(ref);
    show('under way (its own run says what it waits for)');
    const report = await startInEnvironment(request, ref, 'waits');
    reports.push(report);
    // A rejection in staging is also a no to production.
    if (report.outcome !== 'completed') break;
  }
  show('not begun');
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
