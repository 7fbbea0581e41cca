/** How a run ended and what each of its steps saw: the workflow's result, and the evidence in the ledger. */
import type { Evidence } from './evidence.js';
import type { Proof } from './proof.js';

export const OUTCOMES = ['completed', 'rejected', 'aborted', 'rolled back', 'cancelled', 'stopped'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export type StepState = 'to come' | 'running' | 'waiting' | 'done' | 'failed' | 'undone' | 'skipped';

export interface StepRecord {
  readonly name: string;
  readonly state: StepState;
  /** ISO 8601, workflow time. */
  readonly startedAt?: string;
  readonly seconds?: number;
  readonly evidence?: Evidence;
  /** A failed step's safe message, one line; also of a step that was undone because it had failed. */
  readonly error?: string;
  /** State and last words of what failed, several lines, redacted. */
  readonly diagnosis?: string;
}

/** What there is to say about a step, one line each: why it failed, what it saw (or, of an undone one, how it stands now). */
export function saidOf(step: StepRecord): string[] {
  return [step.error, step.evidence?.summary].filter((line) => line !== undefined && line !== '') as string[];
}

export interface RotationReport {
  readonly ref: string;
  readonly outcome: Outcome;
  readonly method: string;
  readonly operator: string;
  readonly requestId: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly steps: readonly StepRecord[];
  /** Decisions that were refused, with the reason, in order. */
  readonly refusals: readonly string[];
  /** Whether the old value is dead; null: the run did not come to where it should be, or it is about none (a backup). */
  readonly proof: Proof | null;
  readonly ledgerSequence: number | null;
  readonly nextDueAt: string | null;
  /** What a person still has to do; empty when all is well. */
  readonly todo: readonly string[];
  /** What stays changed although the run was undone, one line each: ended sessions, an earlier run that was settled. */
  readonly lasting?: readonly string[];
  /** The value in use is an earlier run's, older than the report of a leak: the same workflow goes on and rotates it once more. */
  readonly again?: true;
  /** It ended before its first change, so there was nothing to roll back: the outcome stays, people are told otherwise. */
  readonly notBegun?: true;
}

/** The outcome as people are told it. */
export function endOf({ outcome, notBegun }: Pick<RotationReport, 'outcome' | 'notBegun'>): Outcome | 'not begun' {
  return notBegun && outcome === 'rolled back' ? 'not begun' : outcome;
}
