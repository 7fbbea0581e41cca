/** Where one secret's three versions live, and how the application is shown them. A reference: it never holds a value. */
import type { StoreSpec } from './specs/store.js';
import type { PartSpec } from './specs/secret.js';

export interface SecretSlot {
  /** Resolved: file paths are absolute. */
  readonly store: StoreSpec;
  /** The variable; in a directory of secrets the file. */
  readonly key: string;
  readonly part?: PartSpec;
  readonly exposure: Exposure;
}

/**
 * How the application takes two values: not at all, as a list in one variable, or in a second variable. A `pair` is one value in
 * two variables, user and password of a database, always written together: the value is the JSON text `["user","password"]`.
 * In a directory of secrets a variable is a file.
 */
export type Exposure =
  | { readonly style: 'single' }
  | { readonly style: 'list'; readonly separator: string }
  | { readonly style: 'previous'; readonly variable: string }
  | { readonly style: 'pair'; readonly variable: string };

export type VersionLabel = 'pending' | 'current' | 'previous';

/**
 * What the application is shown. The first value signs; `accept` values only verify.
 * `old…` arrangements leave the new value `pending`; `new…` arrangements make it `current` and the old one `previous`.
 */
export const ARRANGEMENTS = ['old only', 'old, accept new', 'new, accept old', 'new only'] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

export interface VersionInfo {
  /** See stores/fingerprint.ts: keyed and shortened; the only form of a value that leaves a store. */
  readonly fingerprint: string;
  readonly length: number;
}

export interface Versions {
  readonly current: VersionInfo | null;
  readonly pending: VersionInfo | null;
  readonly previous: VersionInfo | null;
  /** The rotation that staged `pending` or left `previous`; null when neither exists. */
  readonly rotation: string | null;
  readonly arrangement: Arrangement;
}
