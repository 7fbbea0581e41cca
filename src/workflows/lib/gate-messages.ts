/** How decisions come to a run: signals for the UI, updates for the command line. */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Verdict } from '../../domain/gate.js';
import {
  APPROVE,
  CANCELLED_BY,
  DECISION_SAMPLE,
  REJECT,
  type DecisionInput,
  type SteerInput,
} from '../../domain/messages.js';

export interface DecisionResult {
  readonly gate: string;
  readonly state: 'approved' | 'rejected' | 'more approvals needed';
  readonly approvals: number;
  readonly needed: number;
}

export const approveSignal = defineSignal<[DecisionInput]>(APPROVE);
export const rejectSignal = defineSignal<[DecisionInput]>(REJECT);
export const cancelledBySignal = defineSignal<[SteerInput]>(CANCELLED_BY);
export const approveUpdate = defineUpdate<DecisionResult, [DecisionInput]>(APPROVE);
export const rejectUpdate = defineUpdate<DecisionResult, [DecisionInput]>(REJECT);

/** For the UI, beside the form. */
export const DESCRIPTIONS: Record<Verdict, string> = {
  approve: `Approve the open gate. Input: ${DECISION_SAMPLE}; optional "gate" and "plan" bind the decision.`,
  reject: `Reject the open gate: the rotation is undone, or stops where its question says so. Input: ${DECISION_SAMPLE}; optional "gate" and "plan".`,
};
