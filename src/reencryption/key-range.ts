/** Where one is in a table, and which part of it is meant. Both are plain data: they go through heartbeats and arguments. */

/** The key of the last row that is done, a text for each key column. To be kept and handed back, not to be looked into. */
export type Cursor = readonly string[];

/** Rows after one key up to and with another; null: from the beginning, to the end. */
export interface KeyRange {
  readonly after: Cursor | null;
  readonly upTo: Cursor | null;
}

export const WHOLE_TABLE: KeyRange = { after: null, upTo: null };
