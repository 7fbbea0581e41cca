/** A line of the checklist: what the runbook's table says of a step, and what has become of it. */
import type { StepRecord } from '../../domain/report.js';
import type { ShownStep } from '../../domain/status.js';
import type { StepOutline } from '../../domain/steps.js';

export interface Row {
  readonly key: string;
  /** null: a wait, or an undo, that no table foresees. */
  readonly outline: StepOutline | null;
  /** Not until the run knows that it comes to it. */
  hidden: boolean;
  seen?: readonly string[];
  seenAs?: string;
  record: StepRecord;
}

export type Ended = Pick<StepRecord, 'state' | 'evidence' | 'error' | 'diagnosis'>;

export function rowOf(outline: StepOutline): Row {
  const { key, title, ifNeeded } = outline;
  return { key, outline, hidden: ifNeeded, record: { name: title, state: 'to come' } };
}

export function rowBeside(key: string, title: string): Row {
  return { key, outline: null, hidden: false, record: { name: title, state: 'to come' } };
}

/** An undone step keeps the time that its effect took, and why it failed. @param now milliseconds. */
export function endedAs(record: StepRecord, result: Ended, now: number): StepRecord {
  const { name, startedAt, seconds: earlier, error, diagnosis } = record;
  const failed = { ...(error === undefined ? {} : { error }), ...(diagnosis === undefined ? {} : { diagnosis }) };
  const seconds = earlier ?? (startedAt ? (now - Date.parse(startedAt)) / 1000 : undefined);
  return {
    name,
    ...(startedAt ? { startedAt } : {}),
    ...(seconds === undefined ? {} : { seconds }),
    ...(result.state === 'undone' ? failed : {}),
    ...result,
  };
}

const NOT_ENDED = ['to come', 'running', 'waiting'];
const GOING_ON = ['running', 'waiting'];

export function isGoingOn({ record }: Row): boolean {
  return GOING_ON.includes(record.state);
}

export function skipIfToCome(row: Row): void {
  if (row.record.state === 'to come') row.record = { ...row.record, state: 'skipped' };
}

export function shownAs({ record, outline, seen, seenAs }: Row): ShownStep {
  return {
    ...record,
    ...(seen && GOING_ON.includes(record.state) ? { seen, ...(seenAs === undefined ? {} : { seenAs }) } : {}),
    ...(outline && outline.detail !== '' && NOT_ENDED.includes(record.state) ? { detail: outline.detail } : {}),
    ...(outline?.undo === 'forward' ? { forward: true } : {}),
  };
}
