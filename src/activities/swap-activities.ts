/**
 * What a database swap does to the world, as the workflow sees it: types only. Every activity is idempotent for one `rotation`:
 * the names of the old and the new role stand in the store, and the new role carries the rotation's mark.
 */
import type { RoleSessions } from '../domain/adoption.js';
import type { Evidence } from '../domain/evidence.js';
import type { PlannedCheck } from '../domain/specs/check.js';
import type { PlannedSwap } from '../domain/plan.js';
import type { ProofEvidence } from '../domain/proof.js';
import type { Hold, Staging } from './rotation-activities.js';

/** One run's hold on one database credential. */
export interface SwapHold extends Hold {
  readonly swap: PlannedSwap;
}

/** Who is on the old role. */
export interface Adoption {
  readonly sessions: readonly RoleSessions[];
  /** One line each, for people; empty: nobody. */
  readonly lines: readonly string[];
  /** Names who they are, without counts, states and times: the same for as long as the same clients are there. */
  readonly key: string;
}

/** Node → log file → bytes that the server had written: from where rejected log-ins are read. */
export type LogPlaces = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface SwapActivities {
  /** Composes the new credential from the one in use. A value staged by an earlier attempt wins. */
  stageCredential(hold: SwapHold & Staging): Promise<Evidence>;
  createRole(hold: SwapHold): Promise<Evidence>;
  /** On every node: log in, compare all rights, write and roll back. @throws `rights-differ` naming each difference. */
  proveNewRole(hold: SwapHold): Promise<Evidence>;
  /** Undo of createRole: what the new role has made meanwhile goes to the old one. */
  removeNewRole(hold: SwapHold): Promise<Evidence>;
  /** `same-role`: the password on the server becomes the new or the old one. `at`: when it was, ISO 8601 by the server's clock. */
  changePassword(hold: SwapHold & { to: 'new' | 'old' }): Promise<Evidence & { readonly at: string }>;

  /**
   * Returns as soon as who is on the old role differs from `known` (after `quiet` milliseconds at the least); until then it
   * ends each attempt as "not yet" and Temporal asks again after swap.watchEvery. An attempt writes no event, so a day of
   * watching costs as many events as there is news. The newest answer stands on the pending activity, as its last failure.
   */
  awaitAdoption(hold: SwapHold & { known: string | null; quiet: number }): Promise<Adoption>;
  /** Asked once. */
  findSessions(hold: SwapHold): Promise<Adoption>;
  /** Carries over what was granted or created since, then compares. @throws `rights-differ`. */
  recompareRights(hold: SwapHold): Promise<Evidence>;
  /** Before the services are shown the old credential again. @throws `old-role-gone`. */
  restoreOldRole(hold: SwapHold): Promise<Evidence>;
  /** NOLOGIN, and its undo. */
  disableOldRole(hold: SwapHold): Promise<Evidence & { readonly logs: LogPlaces }>;
  enableOldRole(hold: SwapHold): Promise<Evidence>;
  /** Log-ins of the old role that were rejected `since`; every service must be healthy without it. */
  findRejected(
    hold: SwapHold & { since: LogPlaces; health: readonly PlannedCheck[] },
  ): Promise<Evidence & { readonly rejected: number; readonly from: readonly string[] }>;
  /** On every node. Under `same-role` those of before the change only. */
  terminateOldSessions(hold: SwapHold & { startedBefore?: string | null }): Promise<Evidence>;
  dropOldRole(hold: SwapHold): Promise<Evidence>;
  /** The old credential must be refused on every node, and the new one accepted there. */
  proveOldLoginRefused(hold: SwapHold): Promise<ProofEvidence>;
}
