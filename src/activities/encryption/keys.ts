/** The two keys of a rotation: in the store, and in a worker's memory for as long as an activity lasts. */
import { timingSafeEqual } from 'node:crypto';
import { deriveKey } from '../../ciphers/key-material.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { Versions } from '../../domain/slot.js';
import { openStore } from '../../stores/open-store.js';
import type { ActivityTools } from '../as-activity.js';
import type { ActivityDeps } from '../deps.js';
import type { Direction, EncryptionHold } from '../encryption-activities.js';
import type { Hold, Staging } from '../rotation-activities.js';
import { stageSecret } from '../secrets.js';

/** 32 bytes each. */
export interface Keys {
  readonly old: Buffer;
  readonly fresh: Buffer;
}

/** @throws KeyturnError `nothing-staged` when this rotation has no new key in the store. */
export async function demandStaged({ slot, rotation }: Hold, deps: ActivityDeps): Promise<Versions> {
  const versions = await openStore(slot.store, deps).describe(slot);
  if (versions.rotation === rotation) return versions;
  throw new KeyturnError('nothing-staged', `rotation ${rotation} has no new key in the store of ${slot.key}`, {
    hint: 'somebody has taken it out of the store; cancel this run and start again',
  });
}

/** @throws KeyturnError `nothing-staged`, `malformed-key`. */
export async function keysOf(hold: EncryptionHold, deps: ActivityDeps): Promise<Keys> {
  const { slot, encryption } = hold;
  const versions = await demandStaged(hold, deps);
  const store = openStore(slot.store, deps);
  const switched = versions.arrangement.startsWith('new');
  const [old, fresh] = switched ? (['previous', 'current'] as const) : (['current', 'pending'] as const);
  return {
    old: deriveKey(encryption.key, await store.read(slot, old)),
    fresh: deriveKey(encryption.key, await store.read(slot, fresh)),
  };
}

/** As the ciphers want them. */
export function keysInDirection({ old, fresh }: Keys, direction: Direction): { from: Buffer; to: Buffer } {
  return direction === 'to the new key' ? { from: old, to: fresh } : { from: fresh, to: old };
}

/** Staged first, then read back as the application will read it. */
export async function stageKey(
  hold: EncryptionHold & Staging,
  deps: ActivityDeps,
  tools: Pick<ActivityTools, 'workflowId'>,
): Promise<Evidence> {
  const evidence = await stageSecret(hold, deps, tools);
  const { old, fresh } = await keysOf(hold, deps);
  if (timingSafeEqual(old, fresh)) {
    throw new KeyturnError('same-key', `the new key of ${hold.slot.key} is the one that is in use`, {
      hint: 'see how the inventory says that the key is derived',
    });
  }
  return evidence;
}
