/**
 * Where a secret stands, for people and for comparison: no two secrets may share a place. A place is a variable of a file, or a
 * file as a whole.
 */
import type { SecretSlot } from './slot.js';
import type { StoreSpec } from './specs/store.js';

export interface Place {
  readonly file: string;
  /** null: the whole file. */
  readonly variable: string | null;
}

/** The file or directory that a store's description names. */
export function pathOf(store: StoreSpec): string {
  switch (store.type) {
    case 'dotenv':
      return store.file;
    case 'docker-secrets':
      return store.directory;
  }
}

/** The same store with its path changed: made absolute, say. */
export function withPath(store: StoreSpec, change: (path: string) => string): StoreSpec {
  switch (store.type) {
    case 'dotenv':
      return { ...store, file: change(store.file) };
    case 'docker-secrets':
      return { ...store, directory: change(store.directory) };
  }
}

/** @param name a slot's key, or the second one of its exposure: a variable, or a file of the directory. */
export function placeIn(store: StoreSpec, name: string): Place {
  switch (store.type) {
    case 'dotenv':
      return { file: store.file, variable: name };
    case 'docker-secrets':
      return { file: `${store.directory.replace(/\/+$/, '')}/${name}`, variable: null };
  }
}

/** A file as a whole shares with everything that stands in it. */
export function samePlace(one: Place, other: Place): boolean {
  if (one.file !== other.file) return false;
  return one.variable === null || other.variable === null || one.variable === other.variable;
}

/** The names by which a slot is shown: its own, and the second one of its exposure. */
export function namesOf({ key, exposure }: SecretSlot): string[] {
  return 'variable' in exposure ? [key, exposure.variable] : [key];
}

/** The files that change when the slot's value does. */
export function filesOf(slot: SecretSlot): string[] {
  return [...new Set(namesOf(slot).map((name) => placeIn(slot.store, name).file))];
}

/** `SESSION_SECRET in /srv/app/.env`, `secret_key in /srv/app/secrets`. */
export function placeInWords({ store, key }: SecretSlot): string {
  return `${key} in ${pathOf(store)}`;
}
