/** Whether the worker read what the person here looks at. */
import { KeyturnError } from '../domain/errors.js';
import type { RotationPlan } from '../domain/plan.js';
import type { ReadinessLine } from '../domain/preview.js';
import type { OpenInventory } from './open-inventory.js';

/** @returns nothing where both plans are the same, or where none can be made here (settings of another host). */
export function comparePlans(theirs: RotationPlan, inventory: OpenInventory): ReadinessLine[] {
  const ours = planHere(theirs, inventory);
  if (ours === null || ours.digest === theirs.digest) return [];
  const why =
    ours.inventoryFile === theirs.inventoryFile
      ? 'from the same file the worker makes another plan than this command would: other variables are set there'
      : `the worker reads ${theirs.inventoryFile}, this command ${ours.inventoryFile}`;
  return [{ question: 'inventory', state: 'warning', answer: `${why}; the worker's counts, and is what is shown` }];
}

function planHere({ ref, operator, reason }: RotationPlan, inventory: OpenInventory): RotationPlan | null {
  try {
    return inventory.plan(ref, { operator, reason });
  } catch (error) {
    if (error instanceof KeyturnError) return null;
    throw error;
  }
}
