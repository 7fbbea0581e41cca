/** Document 000: a unique value per secret, never one value for several variables; and one place, one secret. */
import { namesOf, placeIn, samePlace, type Place } from '../domain/place.js';
import type { SecretRef } from '../domain/refs.js';
import { formatRef } from '../domain/refs.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { SecretSlot } from '../domain/slot.js';
import { realPlace } from '../inventory/crosscheck/places.js';
import { slotsOf } from '../inventory/slots.js';
import { openStore } from '../stores/open-store.js';
import type { ActivityDeps } from './deps.js';

/**
 * The other secrets of the inventory whose current, pending or previous value is this one, as far as this worker can reach
 * their stores: a secret on another host cannot be compared here, and is not counted.
 */
export async function sharedWith(value: SecretValue, self: SecretRef, deps: ActivityDeps): Promise<string[]> {
  const { fingerprint } = deps.fingerprint(value);
  const others = slotsOf(await deps.loadInventory(), deps.variables).filter(
    ({ ref }) => formatRef(ref) !== formatRef(self),
  );
  const shared: string[] = [];
  for (const sameStore of byStore(others)) {
    const [{ slot }] = sameStore;
    const all = await openStore(slot.store, deps).describeAll(sameStore.map((other) => other.slot));
    all.forEach((versions, index) => {
      const other = sameStore[index];
      const labels = versions && [versions.current, versions.pending, versions.previous];
      if (other && labels?.some((version) => version?.fingerprint === fingerprint)) shared.push(formatRef(other.ref));
    });
  }
  return shared;
}

/**
 * The other secrets of the inventory that live in the same variable or file, behind symlinks and settings: each has a lock of its
 * own, so a run of one would take the live run of the other for a dead one. The loader knows no settings of a worker.
 */
export async function inTheSamePlace(slot: SecretSlot, self: SecretRef, deps: ActivityDeps): Promise<string[]> {
  const own = placesOf(slot);
  return slotsOf(await deps.loadInventory(), deps.variables)
    .filter(({ ref }) => formatRef(ref) !== formatRef(self))
    .filter((other) => !areTwoParts(other.slot, slot))
    .filter((other) => placesOf(other.slot).some((place) => own.some((mine) => samePlace(place, mine))))
    .map(({ ref }) => formatRef(ref));
}

/** Two parts of one variable are two secrets. */
function areTwoParts(one: SecretSlot, other: SecretSlot): boolean {
  return one.part !== undefined && other.part !== undefined && JSON.stringify(one.part) !== JSON.stringify(other.part);
}

function placesOf(slot: SecretSlot): Place[] {
  return namesOf(slot).map((name) => {
    const { file, variable } = placeIn(slot.store, name);
    return { file: realPlace(file), variable };
  });
}

type Located = { readonly ref: SecretRef; readonly slot: SecretSlot };

/** A store of many secrets is looked at once, not once a secret. */
function byStore(located: readonly Located[]): [Located, ...Located[]][] {
  const groups = new Map<string, [Located, ...Located[]]>();
  for (const one of located) {
    const key = JSON.stringify(one.slot.store);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}
