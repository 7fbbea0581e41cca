/** What the loader hands out: every system, its file, and where in the file each thing stands. */
import type { Path } from './problems.js';
import type { System } from './schema.js';
import type { Place } from './yaml-source.js';

export interface InventorySystem {
  /** Absolute: relative paths in the file start from its directory. */
  readonly file: string;
  /** As a person would type it; used in messages. */
  readonly shownAs: string;
  readonly spec: System;
  readonly locate: (path: Path) => Place;
}

export interface Inventory {
  /** The directory or file it was loaded from, absolute. */
  readonly source: string;
  /** By file name. Names of systems are unique. */
  readonly systems: readonly InventorySystem[];
}
