/** Where each secret of an inventory lives. */
import { dirname, resolve } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { withPath } from '../domain/place.js';
import type { SecretRef } from '../domain/refs.js';
import type { Exposure, SecretSlot } from '../domain/slot.js';
import type { OverlapSpec } from '../domain/specs/secret.js';
import { exposureOfKeys } from './encryption.js';
import type { FoundSecret } from './find.js';
import type { Inventory } from './inventory.js';
import { mergeEnvironments } from './merge.js';
import { SettingValues, type Variables } from './settings.js';

export interface PlacedSlot {
  readonly ref: SecretRef;
  readonly slot: SecretSlot;
}

const slots = new WeakMap<Inventory, { readonly variables: Variables; readonly all: readonly PlacedSlot[] }>();

/**
 * Every secret in every environment, in the order of the files and of the rollout. A secret whose place depends on a setting
 * that this worker lacks is left out: its store is on another host. Made once an inventory as it was read.
 */
export function slotsOf(inventory: Inventory, variables: Variables): readonly PlacedSlot[] {
  const known = slots.get(inventory);
  if (known?.variables === variables) return known.all;
  const all = findSlots(inventory, variables);
  slots.set(inventory, { variables, all });
  return all;
}

function findSlots(inventory: Inventory, variables: Variables): PlacedSlot[] {
  return inventory.systems.flatMap((system) =>
    mergeEnvironments(system.spec).flatMap((environment) =>
      [...environment.secrets.values()].flatMap((secret): PlacedSlot[] => {
        const ref = { system: system.spec.system, environment: environment.name, secret: secret.name };
        try {
          const settings = new SettingValues(environment.settings, variables);
          return [{ ref, slot: slotOf({ system, environment, secret }, settings) }];
        } catch (error) {
          if (error instanceof KeyturnError && error.code === 'setting-missing') return [];
          throw error;
        }
      }),
    ),
  );
}

/** @throws KeyturnError `setting-missing`, `setting-secret`. */
export function slotOf({ system, environment, secret }: FoundSecret, settings: SettingValues): SecretSlot {
  const store = environment.stores.get(secret.store)?.value;
  if (!store)
    throw new KeyturnError('bad-inventory', `the environment "${environment.name}" has no store "${secret.store}"`);
  const place = withPath(settings.fillAll(store), (path) => resolve(dirname(system.file), path));
  const shape = secret.swap && settings.fillAll(secret.swap.credential);
  if (shape?.in === 'variables') {
    return { store: place, key: shape.user, exposure: { style: 'pair', variable: shape.password } };
  }
  const kept = { store: place, key: settings.fill(secret.key), ...(secret.part && { part: secret.part }) };
  if (secret.kind === 'encryption') {
    const both = secret.encryption?.bothKeys;
    return { ...kept, exposure: exposureOfKeys(both && settings.fillAll(both)) };
  }
  return {
    ...kept,
    // As declared, also for a run without overlap: an earlier run may have left two values to be tidied away.
    exposure: secret.overlap ? exposureOf(settings.fillAll(secret.overlap)) : { style: 'single' },
  };
}

function exposureOf(overlap: OverlapSpec): Exposure {
  return overlap.style === 'list'
    ? { style: 'list', separator: overlap.separator }
    : { style: 'previous', variable: overlap.variable };
}
