/**
 * Where backups go: never two critical secrets to one destination (document 004: "Do not store both secrets in the same backup
 * location"), and never into a store's own directory, where one accident takes both.
 */
import { dirname, sep } from 'node:path';
import type { StoreSpec } from '../domain/specs/store.js';
import { pathOf } from '../domain/place.js';

export interface Destination {
  /** `SYSTEM/ENV/NAME` of the backup. */
  readonly backup: string;
  /** `SYSTEM/ENV/SECRET`, of the critical ones in it. */
  readonly critical: readonly string[];
  /** Absolute, behind symlinks as far as the path exists. */
  readonly directory: string;
}

/** @returns the critical secret of `other` that would lie beside one of `one`; null when there is none. */
export function besideAnother(one: Destination, other: Destination): string | null {
  if (
    one.critical.length === 0 ||
    !(isWithin(one.directory, other.directory) || isWithin(other.directory, one.directory))
  )
    return null;
  return other.critical.find((ref) => one.critical.some((own) => own !== ref)) ?? null;
}

/** The directory whose loss is the loss of the store. */
export function ownDirectoryOf(store: StoreSpec): string {
  return store.type === 'dotenv' ? dirname(pathOf(store)) : pathOf(store);
}

/** Itself, or somewhere below. A file system's root holds everything, and says nothing. */
export function isWithin(path: string, directory: string): boolean {
  return directory !== sep && (path === directory || path.startsWith(`${directory}${sep}`));
}
