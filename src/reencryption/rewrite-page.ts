/** A page's values under the new key, as they are sent to the server: from binary array to binary array. */
import type { Reencryptor, ValueState } from '../ciphers/cipher.js';
import { buildArray } from './binary-array.js';
import type { RawPage } from './read-pages.js';

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
  readonly array: Buffer;
}

export function rewritePage(reencryptor: Reencryptor, page: RawPage): RewrittenPage {
  const { elementType } = page;
  const { states, fresh } = reencryptor.reencrypt(page);
  const rows = fresh.flatMap((value, row) => (value === null ? [] : [row]));
  if (rows.length === 0) return { states, fresh: null };
  const all = rows.length === fresh.length;
  const elements = all ? fresh : rows.map((row) => fresh[row] ?? null);
  return { states, fresh: { rows: all ? null : rows, array: buildArray({ elementType, elements }) } };
}
