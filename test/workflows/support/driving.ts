/** Bringing a run to its end, as people and time would. */
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { expect } from 'vitest';
import type { RotationReport } from '../../../src/domain/report.js';
import { PATIENCE_MS, type Harness } from './harness.js';
import type { planOf } from './plan.js';
import { World } from './world.js';

export const DAY_AND_SKEW_SECONDS = 24 * 3600 + 5 * 60;
export const BEN = { by: 'ben@example.test', note: 'looked at the plan' };

/** A world with a secret and a task queue of its own. */
export function worldOf(make: typeof planOf, changes: Parameters<typeof planOf>[2] = {}): World {
  const id = randomUUID().slice(0, 8);
  return new World(make(`SECRET_${id}`, `queue-${id}`, changes));
}

/** Approves whatever opens and passes every wait, until the run ends. */
export async function accompany(harness: Harness, handle: WorkflowHandle): Promise<RotationReport> {
  const end = { reached: false };
  const result = handle.result().finally(() => (end.reached = true)) as Promise<RotationReport>;
  result.catch(() => undefined);
  const decided = new Set<string>();
  /** Up to when it was hurried along, of each time that was waited for. */
  const passed = new Map<string, number>();
  const deadline = Date.now() + PATIENCE_MS;
  while (!end.reached) {
    if (Date.now() > deadline) throw new Error(`stuck: ${JSON.stringify(await harness.status(handle))}`);
    const status = await harness.status(handle).catch(() => null);
    if (status?.gate && !decided.has(status.gate.name)) {
      decided.add(status.gate.name);
      await handle.executeUpdate('approve', { args: [BEN] }).catch(() => undefined);
    } else if (status?.wait) {
      const { until } = status.wait;
      const since = status.steps.find(({ state }) => state === 'running')?.startedAt ?? '';
      const from = passed.get(until) ?? Date.parse(since);
      // Once it is over the run may take a while to say so; hurried along again, it would be during its next step.
      if (!(from >= Date.parse(until))) {
        passed.set(until, from + DAY_AND_SKEW_SECONDS * 1_000);
        await harness.fastForward(handle, DAY_AND_SKEW_SECONDS).catch(tolerateEnd);
      }
    }
    await new Promise((done) => setTimeout(done, 30));
  }
  return await result;
}

/** The run may end while it is being hurried along. */
export function tolerateEnd(error: unknown): void {
  if (!String(error).includes('completed')) throw error;
}

export async function failureOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause as ApplicationFailure;
}
