/** What the loader hands out: every system and its file. */
import type { System } from './schema.js';

export interface InventorySystem {
  /** Absolute: relative paths in the file start from its directory. */
  readonly file: string;
  /** As a person would type it; used in messages. */
  readonly shownAs: string;
  readonly spec: System;
}

export interface Inventory {
  /** The directory or file it was loaded from, absolute. */
  readonly source: string;
  /** By file name. Names of systems are unique. */
  readonly systems: readonly InventorySystem[];
}
