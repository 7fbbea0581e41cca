/** mediavault: a unique value per secret, never one value for several variables; and one place, one secret. */
import { namesOf, placeIn, samePlace, type Place } from '../domain/place.js';
import type { SecretRef } from '../domain/refs.js';
import { formatRef } from '../domain/refs.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { SecretSlot } from '../domain/slot.js';
import type { StoreSpec } from '../domain/specs/store.js';
import { realPlace } from '../inventory/crosscheck/places.js';
import { slotsOf, type PlacedSlot } from '../inventory/slots.js';
import { openStore } from '../stores/open-store.js';
import type { ActivityDeps } from './deps.js';

/**
 * The other secrets of the inventory whose current, pending or previous value is this one, as far as this worker can reach
 * their stores: a secret on another host cannot be compared here, and is not counted. A store is read again only once it has
 * changed (`ActivityDeps.descriptions`).
 */
export async function sharedWith(value: SecretValue, self: SecretRef, deps: ActivityDeps): Promise<string[]> {
  const { fingerprint } = deps.fingerprint(value);
  const own = formatRef(self);
  const shared: string[] = [];
  for (const sameStore of byStore(slotsOf(await deps.loadInventory(), deps.variables))) {
    const { store, refs, slots } = sameStore;
    const all = await openStore(store, deps).describeAll(slots);
    all.forEach((versions, index) => {
      const labels = versions && [versions.current, versions.pending, versions.previous];
      const ref = refs[index];
      if (ref !== own && labels?.some((version) => version?.fingerprint === fingerprint)) shared.push(ref ?? '');
    });
  }
  return shared;
}

/**
 * The other secrets of the inventory that live in the same variable or file, behind symlinks and settings: each has a lock of its
 * own, so a run of one would take the live run of the other for a dead one. The loader knows no settings of a worker.
 */
export async function inTheSamePlace(slot: SecretSlot, self: SecretRef, deps: ActivityDeps): Promise<string[]> {
  const real = realPlaces();
  const own = placesOf(slot, real);
  return slotsOf(await deps.loadInventory(), deps.variables)
    .filter((other) => placesOf(other.slot, real).some((place) => own.some((mine) => samePlace(place, mine))))
    .filter(({ ref }) => formatRef(ref) !== formatRef(self))
    .filter((other) => !areTwoParts(other.slot, slot))
    .map(({ ref }) => formatRef(ref));
}

/** Two parts of one variable are two secrets. */
function areTwoParts(one: SecretSlot, other: SecretSlot): boolean {
  return one.part !== undefined && other.part !== undefined && JSON.stringify(one.part) !== JSON.stringify(other.part);
}

function placesOf(slot: SecretSlot, real: (file: string) => string): Place[] {
  return namesOf(slot).map((name) => {
    const { file, variable } = placeIn(slot.store, name);
    return { file: real(file), variable };
  });
}

/** Many secrets stand in one file, which is looked for once. */
function realPlaces(): (file: string) => string {
  const known = new Map<string, string>();
  return (file) => {
    const real = known.get(file) ?? realPlace(file);
    known.set(file, real);
    return real;
  };
}

interface SameStore {
  readonly store: StoreSpec;
  readonly refs: readonly string[];
  readonly slots: readonly SecretSlot[];
}
const grouped = new WeakMap<readonly PlacedSlot[], readonly SameStore[]>();

/** A store of many secrets is looked at once, not once a secret. */
function byStore(all: readonly PlacedSlot[]): readonly SameStore[] {
  const known = grouped.get(all);
  if (known) return known;
  const groups = new Map<string, { store: StoreSpec; refs: string[]; slots: SecretSlot[] }>();
  for (const { ref, slot } of all) {
    const key = JSON.stringify(slot.store);
    const group = groups.get(key) ?? { store: slot.store, refs: [], slots: [] };
    group.refs.push(formatRef(ref));
    group.slots.push(slot);
    groups.set(key, group);
  }
  const made = [...groups.values()];
  grouped.set(all, made);
  return made;
}
