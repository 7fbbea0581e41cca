/** What an application accepts besides the value in use, put there by people: whether a rotation may take its place. */
import { KeyturnError } from '../domain/errors.js';
import type { RotationPlan } from '../domain/plan.js';
import { openStore, type StoreDeps } from '../stores/open-store.js';

/** A second variable shows one value: what a person has put there gives way to this rotation's. @throws KeyturnError `second-in-use`. */
export async function judgeOthers(
  { slot, overlap }: Pick<RotationPlan, 'slot' | 'overlap'>,
  deps: StoreDeps,
): Promise<string | { warning: string }> {
  const others = await openStore(slot.store, deps).readOthers(slot);
  if (others.length === 0) return 'none';
  const { exposure } = slot;
  if (exposure.style !== 'previous')
    return `${others.length} more in the list, accepted until the new value stands alone`;
  const said = `${exposure.variable} holds a value that Keyturn did not put there`;
  if (!overlap) return { warning: `${said}: it is emptied, and no longer accepted once the new value stands alone` };
  throw new KeyturnError('second-in-use', `${said}: it would be overwritten, and what was signed with it refused`, {
    hint: 'when nothing that was signed with it is in use any more, take it out; then start again',
  });
}
