/** How a run ended. */
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { RotationReport } from '../../../src/domain/report.js';
import { PATIENCE_MS } from './real-stage.js';

/** @returns `completed`, `rejected`, `aborted`, `cancelled`, or the failure's type with its message. */
export async function endOf(handle: WorkflowHandle): Promise<string> {
  const net = new Promise<never>((_, refuse) => {
    const timer = setTimeout(() => refuse(new Error(`${handle.workflowId} does not end`)), PATIENCE_MS);
    timer.unref();
  });
  try {
    return ((await Promise.race([handle.result(), net])) as RotationReport).outcome;
  } catch (error) {
    const causes = causesOf(error);
    if (causes.some((cause) => cause instanceof CancelledFailure)) return 'cancelled';
    const last = causes.at(-1);
    return last instanceof ApplicationFailure ? `${last.type ?? ''}: ${last.message}` : String(last);
  }
}

function causesOf(error: unknown): unknown[] {
  return error instanceof Error && error.cause !== undefined ? [error, ...causesOf(error.cause)] : [error];
}
