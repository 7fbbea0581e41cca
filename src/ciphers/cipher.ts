/**
 * The contract of the ciphers. Values are opaque bytes as they stand in a column; keys are bytes, made by key-material.ts.
 *
 * Two ways to look at a value, on purpose apart: a `Reencryptor` takes whole pages through both keys as fast as it can, a `Reader`
 * opens one value under one key in the plainest way there is. What the first wrote is verified by the second.
 */

/** What a value turned out to be: readable under the old key, under the new one, under none, or nothing at all. */
export type ValueState = 'old' | 'new' | 'empty' | 'unreadable';

/** A column's values, in the order of its primary key. */
export interface Page {
  /** The bytes as stored (of text: UTF-8); null: SQL NULL. */
  readonly values: readonly (Buffer | null)[];
  /** What else each value's authentication covers; null: the format has none. */
  readonly associated: readonly Buffer[] | null;
}

export interface ReencryptedPage {
  /** One for each value. `empty`: NULL or no bytes. */
  readonly states: readonly ValueState[];
  /** The same plaintext under the new key where the state is `old`, else null. */
  readonly fresh: readonly (Buffer | null)[];
}

export interface Reencryptor {
  /** Pure but for the random initialisation vectors. Each value's authentication is checked before its plaintext is used. */
  reencrypt(page: Page): ReencryptedPage;
}

export interface Reader {
  /** @returns whether the value is authentic under this key and can be decrypted. Empty bytes are not. */
  reads(value: Buffer, associated: Buffer | null): boolean;
}
