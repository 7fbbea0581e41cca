/**
 * Temporal holds the lock: the run for a secret has the id `rotate:SYSTEM/ENV/SECRET`. A run started under another id (the
 * UI's random one, a schedule's), or for all environments of a system, starts the runs with those ids as its children and waits.
 */
import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import { parseRotateInput, type RotateInput } from '../../domain/messages.js';
import type { RotationPlan } from '../../domain/plan.js';
import { rotationWorkflowId } from '../../domain/refs.js';
import type { RotationReport } from '../../domain/report.js';
import type { RolloutReport } from '../../domain/status.js';
import { effects } from './activities.js';
import { asApplicationFailure } from './failures.js';
import { refuseForeignLock } from './foreign-lock.js';
import { Gatekeeper } from './gatekeeper.js';

/**
 * @param carryOut the runbook in one environment; `leader`: workflow id of the run that leads it through several, or null.
 * @param lead how it goes through several.
 */
export async function underItsLock(
  input: unknown,
  carryOut: (plan: RotationPlan, gates: Gatekeeper, leader: string | null) => Promise<RotationReport>,
  lead: (request: RotateInput, gates: Gatekeeper) => Promise<RolloutReport>,
): Promise<RotationReport | RolloutReport> {
  const gates = new Gatekeeper();
  gates.register();
  const request = parse(input);
  refuseForeignLock(rotationWorkflowId(request));
  const { workflowId, originalExecutionRunId } = workflowInfo();
  if (request.environment === undefined || workflowId !== rotationWorkflowId(request))
    return await lead(request, gates);
  const { environment, leader, ...asked } = request;
  // The original run's id owns what is staged: a reset run must find its own values again.
  const plan = await effects('Read the inventory and pin the plan').resolvePlan({
    ...asked,
    environment,
    requestId: originalExecutionRunId,
  });
  const report = await carryOut(plan, gates, leader ?? null);
  // Under the same id, so that nobody else comes in between; what it begins with is settled by now.
  if (report.again) return await continueAsNew<(again: unknown) => Promise<never>>(input);
  return report;
}

function parse(input: unknown): RotateInput {
  try {
    return parseRotateInput(input);
  } catch (error) {
    throw asApplicationFailure(error);
  }
}
