/**
 * One run a service at a time, from its stop or deploy until it is healthy and verified. The lock is a workflow id again, that of
 * what is deployed: Temporal runs at most one workflow under it.
 */
import { isExposed, type Reason } from './reason.js';
import type { ListNote, OpenGate } from './status.js';

export const LOCK_WORKFLOW_TYPE = 'holdService';

/** Who holds it; the lock's memo and its input. */
export interface LockHolder {
  /** `SYSTEM/ENV/SECRET`. */
  readonly ref: string;
  readonly workflowId: string;
  readonly firstRunId: string;
}

/** The latest run of a service's lock, held still or not. */
export interface LockRecord {
  readonly thing: string;
  /** Differs for each time that somebody has held it. */
  readonly runId: string;
  readonly held: boolean;
  readonly since: string;
  readonly holder: LockHolder;
}

export interface Waiting {
  readonly workflowId: string;
  /** All that it waits for. */
  readonly things: readonly string[];
  readonly turn: string;
}

/** A run that goes on, whether it holds the lock, waits for it, or neither. */
export interface UnderWay {
  /** `SYSTEM/ENV/SECRET`. */
  readonly ref: string;
  readonly workflowId: string;
  readonly since: string;
  /** What it deploys. */
  readonly things: readonly string[];
  /** null: it does not wait for a service. */
  readonly turn: string | null;
  readonly note: (Pick<ListNote, 'step' | 'wait'> & { readonly gate: Pick<OpenGate, 'name'> | null }) | null;
}

export interface ServiceLocks {
  /** null: nobody has ever held it, as far as Temporal still knows. */
  latest(thing: string): Promise<LockRecord | null>;
  /** Runs that wait for one of these. As Temporal's visibility has them, so a moment late. */
  waiting(things: readonly string[]): Promise<Waiting[]>;
  /** Runs that deploy one of these. As Temporal's visibility has them. */
  underWay(things: readonly string[]): Promise<UnderWay[]>;
  /** Frees what nobody holds any more; whoever was faster is right too. */
  free(lock: LockRecord, why: string): Promise<void>;
}

/** @param thing what is deployed, as deployers/deployed-thing.ts finds it on its host. */
export function lockIdOf(thing: string): string {
  return `service:${thing}`;
}

/** After a leak before an undo before routine, then the oldest: the lesser text comes first. */
export function turnOf(reason: Reason, going: 'forward' | 'back', since: Date): string {
  const place = isExposed(reason) ? 0 : going === 'back' ? 1 : 2;
  return `${place} ${since.toISOString()}`;
}

/** @param turn as turnOf; of anything else, now. */
export function waitsSince(turn: string): Date {
  const since = new Date(turn.slice(2));
  return Number.isNaN(since.getTime()) ? new Date() : since;
}
