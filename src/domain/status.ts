/** A run's state as data: the answer to its `status` query, and what `keyturn status` prints. */
import type { Cancellation, IfCancelled } from './cancelling.js';
import type { Steer } from './messages.js';
import type { Reason } from './reason.js';
import type { RotationReport, StepRecord } from './report.js';

export interface OpenGate {
  readonly name: string;
  /** What is being asked, one sentence. */
  readonly question: string;
  /** Digest that a decision may carry to be bound to this plan in this run. */
  readonly plan: string;
  /** ISO 8601, workflow time. */
  readonly openedAt: string;
  readonly expiresAt: string;
  /** What the deadline decides. */
  readonly onExpiry: 'deny' | 'approve';
  readonly approvals: readonly { readonly by: string; readonly at: string; readonly note: string | null }[];
  readonly approversNeeded: number;
  /** null: anyone (but the requester, unless `requesterMayApprove`). */
  readonly allowed: readonly string[] | null;
  readonly requester: string;
  readonly requesterMayApprove: boolean;
  /** What a no, or a deadline that denies, comes to; default: all is undone. */
  readonly afterDenial?: string;
}

/** A step as people see it in a run that goes on. */
export interface ShownStep extends StepRecord {
  /** What it will do; gone once it has ended and can say what it did. */
  readonly detail?: string;
  /** What it sees while it goes on, one line each: who is still on the old role. */
  readonly seen?: readonly string[];
  /** The heading of what it sees; default: who uses the old role. */
  readonly seenAs?: string;
  /** At or after the point of no return. */
  readonly forward?: boolean;
}

export interface RunStatus {
  readonly ref: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly operator: string;
  readonly reason: Reason;
  readonly method: string;
  /** What the plan decided and why, and the requester's note, one sentence each. */
  readonly about: readonly string[];
  /** The step that is running, or the outcome. */
  readonly phase: string;
  readonly steps: readonly ShownStep[];
  readonly gate: OpenGate | null;
  /** A durable wait. */
  readonly wait: { readonly what: string; readonly until: string } | null;
  /** What is going on has failed, and is tried again: at which attempt, and why. */
  readonly trouble: string | null;
  /** What people may do about the wait; empty when there is none, or it cannot be steered. */
  readonly steering: readonly Steer[];
  readonly ifCancelled: IfCancelled;
  /** null: nobody has asked for it. */
  readonly cancellation: Cancellation | null;
  readonly refusals: readonly string[];
  /** How people call Keyturn where this run's plan was made: `keyturn`, `npm run -s keyturn --`. */
  readonly command: string;
  readonly report: RotationReport | null;
}

/** The result of a run over several environments in rollout order; it stops at the first that does not complete. */
export interface RolloutReport {
  readonly ref: string;
  readonly reports: readonly RotationReport[];
}

/**
 * What the list of all runs shows of this one, and its search attributes do not say. The run keeps it in its memo, so that the list
 * asks Temporal once and no run at all.
 */
export interface ListNote {
  /** The step that was going on. */
  readonly step: string | null;
  readonly gate: OpenGate | null;
  /** It may be over by now: it counts as long as the phase is `waiting`. */
  readonly wait: RunStatus['wait'];
  readonly trouble: string | null;
  readonly cancellation: Cancellation | null;
}
export const LIST_NOTE = 'keyturnList';

/** Names of the custom search attributes that every worker registers. */
export const SEARCH_ATTRIBUTES = {
  system: 'KeyturnSystem',
  environment: 'KeyturnEnvironment',
  secret: 'KeyturnSecret',
  phase: 'KeyturnPhase',
  awaitingApproval: 'KeyturnAwaitingApproval',
  /** What the run deploys: deployers/deployed-thing.ts. */
  services: 'KeyturnServices',
  /** Only while it waits for one of them: whose turn it is (turnOf). */
  turn: 'KeyturnTurn',
  /** Whose worker carries its steps out. */
  taskQueue: 'KeyturnTaskQueue',
} as const;

export const SEARCH_ATTRIBUTE_TYPES: Record<keyof typeof SEARCH_ATTRIBUTES, 'Keyword' | 'KeywordList' | 'Bool'> = {
  system: 'Keyword',
  environment: 'Keyword',
  secret: 'Keyword',
  phase: 'Keyword',
  awaitingApproval: 'Bool',
  services: 'KeywordList',
  turn: 'Keyword',
  taskQueue: 'Keyword',
};

/** Name and type of each. */
export function searchAttributes(): [string, 'Keyword' | 'KeywordList' | 'Bool'][] {
  const keys = Object.keys(SEARCH_ATTRIBUTES) as (keyof typeof SEARCH_ATTRIBUTES)[];
  return keys.map((key) => [SEARCH_ATTRIBUTES[key], SEARCH_ATTRIBUTE_TYPES[key]]);
}

/** Types of the failures that a run ends with (ApplicationFailure.type); details[0] is the RotationReport where there is one. */
export const FAILURE_TYPES = {
  badInput: 'bad-input',
  held: 'rotation-held',
  rolledBack: 'rolled-back',
  stopped: 'stopped',
} as const;
