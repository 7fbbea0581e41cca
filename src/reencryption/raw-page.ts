/** A page of a column as it came from the server. */
import { parseArray } from './binary-array.js';
import type { Cursor } from './key-range.js';

export class RawPage {
  private parsed: { values: readonly (Buffer | null)[]; associated: readonly Buffer[] | null } | undefined;

  constructor(
    readonly rows: number,
    /** The last row's key: where the next page begins. */
    readonly cursor: Cursor,
    /** Binary arrays as they came, one for each key column. */
    readonly keys: readonly Buffer[],
    /** Where the rows' versions stand in the table (ctid); null: they are in several tables. */
    readonly places: Buffer | null,
    /** The values, and what else their authentication covers, as they came. */
    readonly array: Buffer,
    readonly associatedArray: Buffer | null,
  ) {}

  /** One by one; parsed when they are first asked for. */
  get values(): readonly (Buffer | null)[] {
    return this.elements().values;
  }

  get associated(): readonly Buffer[] | null {
    return this.elements().associated;
  }

  private elements(): { values: readonly (Buffer | null)[]; associated: readonly Buffer[] | null } {
    return (this.parsed ??= parseElements(this.array, this.associatedArray));
  }
}

export function parseElements(
  array: Buffer,
  associated: Buffer | null,
): { values: readonly (Buffer | null)[]; associated: readonly Buffer[] | null } {
  return {
    values: parseArray(array).elements,
    associated: associated && parseArray(associated).elements.map(present),
  };
}

export function present(bytes: Buffer | null | undefined): Buffer {
  if (!bytes) throw new TypeError('a key, and what is authenticated, is never NULL');
  return bytes;
}
