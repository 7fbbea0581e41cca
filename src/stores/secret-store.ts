/**
 * The contract every store fulfils; test/contracts/secret-store.contract.ts is its suite.
 *
 * A store holds up to three labelled versions of a value. `rotation` is the id of the run: every writing call carries it,
 * is idempotent for it (probe, act, confirm: a repeated call after a lost answer finds its own work and changes nothing),
 * and refuses with `other-rotation` when the versions belong to another run.
 *
 * All methods throw KeyturnError only, with an `effect` that says what happened, and never a value in the message.
 * Codes: `not-found` (no current value), `other-rotation`, `changed-meanwhile` (somebody edited the value or the file since it
 * was staged or read; nothing was overwritten), `not-writable`, `unrepresentable` (this value cannot be stored so that every
 * reader gets it back identically), `malformed` (duplicate keys, broken syntax: with line numbers), `nothing-staged`,
 * `same-value` (the new value is one that is accepted already), `wrong-arrangement` (discard or forget while the value is in
 * use), `busy` (another process works on the same store; retryable).
 *
 * With no rotation under way the arrangement is `old only`. An arrangement that the slot's exposure cannot show (a single
 * value cannot be two) is `unrepresentable`.
 */
import type { Evidence } from '../domain/evidence.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { Arrangement, SecretSlot, StagedBy, VersionLabel, Versions } from '../domain/slot.js';
import type { FileMemo } from '../processes/file-memo.js';

/** What whole stores hold, as fingerprints: for the question whether a value stands in another place too. */
export type Descriptions = FileMemo<readonly SecretSlot[], readonly (Versions | null)[]>;

export interface SecretStore {
  /**
   * Changes nothing that a consumer sees. Finds out whether later writes can succeed: readable, well-formed, writable,
   * replaceable (a bind-mounted file is not), the key present exactly once.
   */
  preflight(slot: SecretSlot): Promise<Evidence>;

  describe(slot: SecretSlot): Promise<Versions>;

  /**
   * The same for many slots of this store with one look at it, in their order; null where `describe` would throw. Where
   * descriptions are kept, the same array of slots is answered from there until the store changes.
   */
  describeAll(slots: readonly SecretSlot[]): Promise<readonly (Versions | null)[]>;

  /**
   * Puts a new value durably into `pending`. `make` is called only when this rotation has staged none yet, so a retry
   * reuses the first value. Remembers what `current` was, to notice a person's edit before it would be overwritten.
   * @param stagedBy left out: nobody will know whether that run is over.
   */
  stage(slot: SecretSlot, rotation: string, make: () => SecretValue, stagedBy?: StagedBy): Promise<Versions>;

  /** Shows the application the given arrangement of this rotation's two values; any arrangement may follow any other. */
  arrange(slot: SecretSlot, rotation: string, arrangement: Arrangement): Promise<Versions>;

  /**
   * Undo of `stage`: destroys `pending`. Only under `old only`; nor, with `changed-meanwhile`, where the application was shown the
   * value before a person edited what it is shown. Nothing staged: does nothing.
   */
  discard(slot: SecretSlot, rotation: string): Promise<Versions>;

  /** Destroys `previous`. Only under `new only`. Nothing left: does nothing. */
  forget(slot: SecretSlot, rotation: string): Promise<Versions>;

  /** On a person's word: destroys what waits beside the place, and leaves what is shown as it is, whatever it is. Nothing left: does nothing. */
  giveUp(slot: SecretSlot, rotation: string): Promise<Versions>;

  /** @throws KeyturnError `not-found` when that version does not exist. */
  read(slot: SecretSlot, version: VersionLabel): Promise<SecretValue>;

  /**
   * What the application accepts besides, or did when the value under way was staged, and what no rotation has put there: further values
   * of a list, what stands in a second variable. A rotation leaves none of it behind.
   */
  readOthers(slot: SecretSlot): Promise<readonly SecretValue[]>;
}
