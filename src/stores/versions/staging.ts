/** The beginning of a rotation: whether it may begin, and what it has to remember. */
import { KeyturnError } from '../../domain/errors.js';
import type { SecretSlot, StagedBy } from '../../domain/slot.js';
import { pairText, parsePair } from '../pair-value.js';
import { secondName, type Shown } from './arrangements.js';
import { slotId, type Entry, type Sidecar } from './sidecar.js';

type Was = Pick<Entry, 'original' | 'second'>;

/** Whose it is. */
interface Whose {
  readonly rotation: string;
  readonly stagedBy: StagedBy | null;
}

/** Two rotations must not work on overlapping text: a variable and a part of it, or a variable used as the other's second. */
export function assertFree(sidecar: Sidecar, slot: SecretSlot): void {
  const second = secondName(slot.exposure);
  for (const [id, entry] of Object.entries(sidecar.entries)) {
    const itsSecond = secondName(entry.exposure);
    const sameVariable = entry.key === slot.key && (!entry.part || !slot.part);
    const crossing = [entry.key, itsSecond].includes(second ?? '') || itsSecond === slot.key;
    if (!sameVariable && !crossing) continue;
    throw new KeyturnError(
      'other-rotation',
      `${slotId(slot)} overlaps with ${id}, which rotation ${entry.rotation} is changing`,
    );
  }
}

/**
 * What is remembered of a rotation, and of its place as it is now.
 * @throws KeyturnError `unrepresentable`, `same-value`.
 */
export function newEntry(slot: SecretSlot, { rotation, stagedBy }: Whose, shown: Shown, made: string, was: Was): Entry {
  const [old = '', ...rest] = shown.values;
  const fresh = slot.exposure.style === 'pair' ? normalPair(made, slot.key) : made;
  if (fresh === '') throw new KeyturnError('unrepresentable', `the new value of ${slot.key} is empty`);
  if ([...shown.values, shown.second].includes(fresh)) {
    throw new KeyturnError('same-value', `the new value of ${slot.key} is one that is accepted already`);
  }
  return {
    key: slot.key,
    ...(slot.part && { part: slot.part }),
    exposure: slot.exposure,
    rotation,
    stagedAt: new Date().toISOString(),
    stagedBy,
    reached: 'old only',
    old,
    new: fresh,
    rest,
    ...was,
  };
}

function normalPair(made: string, key: string): string {
  try {
    return pairText(...parsePair(made));
  } catch {
    throw new KeyturnError('unrepresentable', `the new value of ${key} is not a pair of user and password`);
  }
}
