/** One run of a system from its start to its end, and what became of its world and its record. */
import type { WorkflowHandle } from '@temporalio/client';
import { endOf } from '../../support/end-of.js';
import { normalised, pictureOf, type Picture } from './picture.js';
import type { Stage } from './stage.js';
import type { Given, System } from './system.js';

export interface Ended {
  /** `completed`, `rejected`, `aborted`, `cancelled`, or the failure's type with its message. */
  readonly outcome: string;
  readonly before: Picture;
  readonly after: Picture;
  /** One line a row: outcome, method, and how each step ended. */
  readonly ledger: readonly string[];
  readonly calls: readonly string[];
}

export interface Disturbed {
  /** Arranges disturbances, before the run begins. */
  readonly prepare?: (system: System, handle: WorkflowHandle) => unknown;
  /** Sees the run through its waits. */
  readonly meanwhile?: (system: System, handle: WorkflowHandle) => Promise<unknown>;
}

/** In a system of its own, which is gone afterwards. */
export async function carriedOut(stage: Stage, given: Given, { prepare, meanwhile }: Disturbed = {}): Promise<Ended> {
  const system = await stage.system(given);
  try {
    const before = await pictureOf(system.place);
    const handle = stage.runIn(system, 'production');
    prepare?.(system, handle);
    await stage.start(system);
    await meanwhile?.(system, handle);
    const outcome = await endOf(handle);
    return {
      outcome,
      before,
      after: await pictureOf(system.place),
      ledger: await ledgerOf(stage, system),
      calls: [...system.calls],
    };
  } finally {
    await stage.remove(system);
  }
}

export async function ledgerOf(stage: Stage, system: System): Promise<string[]> {
  return (await stage.rows(system)).map(({ environment, outcome, method, evidence }) => {
    const steps = evidence.map(({ name, state }) => `${name}: ${state}`).join('; ');
    return normalised(`${outcome} by ${method}: ${steps}`, system.in(environment));
  });
}
