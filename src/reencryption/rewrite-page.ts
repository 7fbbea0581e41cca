/** A page's values under the new key, as they are sent to the server: from binary array to binary array, with nothing else at hand. */
import type { Reencryptor, ValueState } from '../ciphers/cipher.js';
import { buildArray, parseArray } from './binary-array.js';
import { parseElements } from './raw-page.js';

export interface RewrittenPage {
  /** One for each row. */
  readonly states: readonly ValueState[];
  /** null: no row is to be written. */
  readonly fresh: FreshValues | null;
}

export interface FreshValues {
  /** Which rows of the page they are for; null: for all. */
  readonly rows: readonly number[] | null;
  /** Of the type of what came. */
  readonly array: Uint8Array;
}

export interface PageArrays {
  readonly array: Buffer;
  readonly associatedArray: Buffer | null;
}

export function rewritePage(reencryptor: Reencryptor, { array, associatedArray }: PageArrays): RewrittenPage {
  const { elementType } = parseArray(array);
  const { states, fresh } = reencryptor.reencrypt(parseElements(array, associatedArray));
  const rows = fresh.flatMap((value, row) => (value === null ? [] : [row]));
  if (rows.length === 0) return { states, fresh: null };
  const all = rows.length === fresh.length;
  const elements = all ? fresh : rows.map((row) => fresh[row] ?? null);
  return { states, fresh: { rows: all ? null : rows, array: buildArray({ elementType, elements }) } };
}
