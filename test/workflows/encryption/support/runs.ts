/** One rotation from its start to its end, and what became of its rows, its file and its record. */
import type { WorkflowHandle } from '@temporalio/client';
import { endOf } from '../../support/end-of.js';
import { bytesOf, pictureOf, type Picture } from './picture.js';
import type { Stage } from './stage.js';
import type { Given, System } from './system.js';

export interface Ended {
  readonly outcome: string;
  readonly before: Picture;
  readonly after: Picture;
  /** Rows and file as before, to the byte. */
  readonly untouched: boolean;
  /** One line a row: outcome, method, and how each step ended. */
  readonly ledger: readonly string[];
  readonly calls: readonly string[];
  /** How the application was stopped and started, after its first start. */
  readonly history: readonly string[];
}

export interface Disturbed {
  readonly prepare?: (system: System, handle: WorkflowHandle) => unknown;
  readonly meanwhile?: (system: System, handle: WorkflowHandle) => Promise<unknown>;
  /** Once it has ended, before it is gone. */
  readonly after?: (system: System) => unknown;
}

export async function carriedOut(stage: Stage, given: Given, disturbed: Disturbed = {}): Promise<Ended> {
  const { prepare, meanwhile } = disturbed;
  const system = await stage.system(given);
  try {
    const [before, bytes] = [await pictureOf(system), await bytesOf(system)];
    const handle = stage.runIn(system, 'production');
    await prepare?.(system, handle);
    await stage.start(system);
    await meanwhile?.(system, handle);
    const outcome = await endOf(handle);
    await disturbed.after?.(system);
    return {
      outcome,
      before,
      after: await pictureOf(system),
      untouched: (await bytesOf(system)) === bytes,
      ledger: await ledgerOf(stage, system),
      calls: [...system.calls],
      history: system.application.history.slice(1),
    };
  } finally {
    await stage.remove(system);
  }
}

export async function ledgerOf(stage: Stage, system: System): Promise<string[]> {
  return (await stage.rows(system)).map(({ outcome, method, evidence }) => {
    const steps = evidence.map(({ name, state }) => `${name}: ${state}`).join('; ');
    return `${outcome} by ${method}: ${steps}`;
  });
}
