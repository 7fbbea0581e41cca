/** What Temporal's list shows of a run without asking it: search attributes, which runs are found by, and a note in its memo. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type { RotationPlan } from '../../domain/plan.js';
import type { Outcome } from '../../domain/report.js';
import { LIST_NOTE, SEARCH_ATTRIBUTES, type ListNote } from '../../domain/status.js';

/** Coarse, since each change of a search attribute is an event in history. */
export type Phase =
  | 'preparing'
  | 'awaiting approval'
  | 'waiting'
  | 'changing'
  | 'backing up'
  | 'proving'
  | 'undoing'
  | 'not begun'
  | Outcome;

const KEYWORD = SearchAttributeType.KEYWORD;
const systemKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.system, KEYWORD);
const environmentKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.environment, KEYWORD);
const secretKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.secret, KEYWORD);
const phaseKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, KEYWORD);
const servicesKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.services, SearchAttributeType.KEYWORD_LIST);
const turnKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.turn, KEYWORD);
const taskQueueKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.taskQueue, KEYWORD);
const awaitingKey = defineSearchAttributeKey(SEARCH_ATTRIBUTES.awaitingApproval, SearchAttributeType.BOOL);

export class Listed {
  phase: Phase = 'preparing';
  private noted: ListNote = { step: null, gate: null, wait: null, trouble: null, cancellation: null };

  constructor({ ref, taskQueue }: Pick<RotationPlan, 'ref' | 'taskQueue'>) {
    upsertSearchAttributes([
      { key: systemKey, value: ref.system },
      { key: environmentKey, value: ref.environment },
      { key: secretKey, value: ref.secret },
      { key: phaseKey, value: this.phase },
      { key: awaitingKey, value: false },
      { key: taskQueueKey, value: taskQueue },
    ]);
  }

  setPhase(phase: Phase): void {
    if (phase === this.phase) return;
    const awaiting = phase === 'awaiting approval';
    const changed = awaiting !== (this.phase === 'awaiting approval');
    this.phase = phase;
    upsertSearchAttributes([
      { key: phaseKey, value: phase },
      ...(changed ? [{ key: awaitingKey, value: awaiting }] : []),
    ]);
  }

  /** So that others find who deploys the same. */
  deploys(things: readonly string[]): void {
    if (things.length === 0) return;
    upsertSearchAttributes([{ key: servicesKey, value: [...things] }]);
  }

  /** Whose turn it is to deploy is decided by this. @param turn null: it does not wait any more. */
  takesTurn(turn: string | null): void {
    upsertSearchAttributes([{ key: turnKey, value: turn }]);
  }

  /** Each note is an event, so only when what is waited for changes; that a wait is over is said by the phase. */
  note(now: ListNote): void {
    const { noted } = this;
    const sameWait = now.wait?.what === noted.wait?.what && now.wait?.until === noted.wait?.until;
    const over = now.wait === null && this.phase !== 'waiting';
    const sameCancellation = now.cancellation?.at === noted.cancellation?.at;
    if (now.gate === noted.gate && now.trouble === noted.trouble && sameCancellation && (sameWait || over)) return;
    this.noted = now;
    upsertMemo({ [LIST_NOTE]: now });
  }
}
