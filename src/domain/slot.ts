/** Where one secret's three versions live, and how the application is shown them. A reference: it never holds a value. */
import type { Reason } from './reason.js';
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

/** Of two, the one that is further on the way to the new value. */
export function furtherOf(one: Arrangement, other: Arrangement): Arrangement {
  return ARRANGEMENTS.indexOf(one) > ARRANGEMENTS.indexOf(other) ? one : other;
}

/** How far a rotation has come, in words. `reached` is the furthest. */
export function cameTo({ reached, arrangement }: { reached: Arrangement; arrangement: Arrangement }): string {
  const furthest = `it had come to "${reached}"`;
  return reached === arrangement ? furthest : `${furthest}, and the store shows "${arrangement}" now`;
}

export interface VersionInfo {
  /** See stores/fingerprint.ts: keyed; the only form of a value that leaves a store. */
  readonly fingerprint: string;
  readonly length: number;
}

/** For people to look at. Nothing is decided by it: two values that share 48 bits are found in minutes by whoever has the key. */
export function shortFingerprint(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}

/** The run that staged a value. Only the Temporal that holds its lock can say whether it is over. */
export interface StagedBy {
  readonly namespace: string;
  /** The namespace's own id: no other one has it, in this cluster or another, whatever its name. */
  readonly namespaceId: string;
  readonly workflowId: string;
  /** Why it rotates: after a leak nothing old goes without a proof or a person, whoever finishes it. */
  readonly reason: Reason;
}

/** What is known of a rotation from its own record, whatever the application is shown now. */
export interface RotationRecord {
  /** The furthest that the application was ever shown of it, or was about to be. */
  readonly reached: Arrangement;
  /** Somebody has changed what is shown since: it is none of this rotation's arrangements. */
  readonly edited: boolean;
  /** null: not known. */
  readonly stagedBy: StagedBy | null;
}

export interface Versions {
  readonly current: VersionInfo | null;
  readonly pending: VersionInfo | null;
  readonly previous: VersionInfo | null;
  /** The rotation that staged `pending` or left `previous`; null when neither exists. */
  readonly rotation: string | null;
  /** null exactly where `rotation` is. */
  readonly record: RotationRecord | null;
  /** What is shown; after a person's edit as near as one of the four can say it. */
  readonly arrangement: Arrangement;
}
