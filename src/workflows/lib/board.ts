/** What people see of a run: the checklist in the Temporal UI, the `status` query, and the search attributes. */
import {
  CancellationScope,
  defineQuery,
  defineSignal,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { NOTHING_BEGUN, type Cancellation, type IfCancelled } from '../../domain/cancelling.js';
import { renderChecklist } from '../../domain/checklist.js';
import { STATUS_QUERY, type Steer } from '../../domain/messages.js';
import { ATTEMPT_FAILED, parseTrouble, type AttemptFailed } from '../../domain/attempts.js';
import type { RotationPlan } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import { endOf, type RotationReport, type StepRecord } from '../../domain/report.js';
import type { RunStatus } from '../../domain/status.js';
import type { StepOutline } from '../../domain/steps.js';
import { endedAs, isGoingOn, rowBeside, rowOf, shownAs, skipIfToCome, type Ended, type Row } from './board-rows.js';
import type { Gatekeeper } from './gatekeeper.js';
import { Listed, type Phase } from './listed.js';

const attemptFailed = defineSignal<[AttemptFailed]>(ATTEMPT_FAILED);
export const statusQuery = defineQuery<RunStatus>(STATUS_QUERY);

export class Board {
  private readonly rows: Row[];
  private wait: RunStatus['wait'] = null;
  private steering: readonly Steer[] = [];
  private trouble: string | null = null;
  private report: RotationReport | null = null;
  private cancelled: { readonly at: string; readonly tooLate: string | null } | null = null;
  private readonly listed: Listed;
  /** Whoever carries the run out knows better, once something has begun. */
  ifCancelled: () => IfCancelled = () => NOTHING_BEGUN;

  constructor(
    private readonly plan: Pick<
      RotationPlan,
      'ref' | 'operator' | 'reason' | 'method' | 'decisions' | 'note' | 'command' | 'taskQueue'
    >,
    private readonly gates: Gatekeeper,
    outline: readonly StepOutline[],
  ) {
    this.rows = outline.map(rowOf);
    setHandler(statusQuery, () => this.status(), {
      description: 'The run as data: steps, the open gate, waits, report',
    });
    setHandler(attemptFailed, (said: unknown) => this.takeTrouble(said), {
      description: 'From the worker whose attempt at a step has failed, not for people',
    });
    this.listed = new Listed(plan);
    CancellationScope.current().cancelRequested.catch(() => this.isCancelled());
    this.refresh();
  }

  get steps(): StepRecord[] {
    return this.shown.map((row) => row.record);
  }

  has(key: string): boolean {
    return this.rows.some((row) => row.key === key);
  }

  /** As the runbook's table has the step. */
  outlineOf(key: string): StepOutline {
    const { outline } = this.row(key);
    if (!outline) throw new Error(`"${key}" is not in the runbook's table`);
    return outline;
  }

  /** What follows a step, of what the run surely comes to. */
  stepAfter(key: string): StepOutline | null {
    const index = this.rows.findIndex((row) => row.key === key);
    return this.rows.slice(index + 1).find(({ outline, hidden }) => outline !== null && !hidden)?.outline ?? null;
  }

  /** Steps that only some runs come to: this one does. */
  expect(keys: readonly string[]): void {
    for (const key of keys) this.row(key).hidden = false;
    this.refresh();
  }

  titleOf(key: string): string {
    return this.row(key).record.name;
  }

  /** A line that no table foresees, before a step; does nothing when it is there. */
  addBefore(key: string, title: string, before: string): void {
    this.insert(key, title, this.rows.indexOf(this.row(before)));
  }

  /** A step that turns out to be about something else than the plan had said. */
  rename(key: string, title: string): void {
    if (this.has(key)) this.set(key, { ...this.row(key).record, name: title });
  }

  /** What these steps have come to by now, in order. */
  stepsOf(keys: readonly string[]): StepRecord[] {
    return this.shown.filter((row) => keys.includes(row.key)).map((row) => row.record);
  }

  begin(key: string): void {
    this.trouble = null;
    this.set(key, { name: this.titleOf(key), state: 'running', startedAt: new Date(Date.now()).toISOString() });
  }

  end(key: string, result: Ended): void {
    this.wait = null;
    this.trouble = null;
    this.set(key, endedAs(this.row(key).record, result, Date.now()));
  }

  /** A line of its own: what kept the step from being undone is not why it had failed. */
  undoFailed(key: string, failure: Pick<StepRecord, 'error' | 'diagnosis'>): void {
    const undo = `undo ${key}`;
    this.insert(undo, `Undo: ${this.titleOf(key)}`, this.rows.indexOf(this.row(key)) + 1);
    this.set(undo, { name: this.titleOf(undo), state: 'failed', ...failure });
  }

  waitsForApproval(key: string): void {
    this.setPhase('awaiting approval');
    this.set(key, { ...this.row(key).record, state: 'waiting' });
  }

  waitsUntil(what: string | null, until = ''): void {
    this.wait = what === null ? null : { what, until };
    this.setPhase(what === null ? 'changing' : 'waiting');
    this.refresh();
  }

  /** What people may do about the wait that is shown now. */
  maySteer(steering: readonly Steer[]): void {
    this.steering = steering;
    this.refresh();
  }

  /** Under a step that goes on. */
  sees(key: string, seen: readonly string[], seenAs?: string): void {
    const row = this.row(key);
    row.seen = seen;
    if (seenAs !== undefined) row.seenAs = seenAs;
    this.refresh();
  }

  /** So that others find who deploys the same. */
  deploys(things: readonly string[]): void {
    this.listed.deploys(things);
  }

  /** Whose turn it is to deploy is decided by this. @param turn null: it does not wait any more. */
  takesTurn(turn: string | null): void {
    this.listed.takesTurn(turn);
  }

  /** What is in use changes from here on. A run that was asked about, or has waited, is in that phase already. */
  changes(): void {
    if (this.listed.phase === 'preparing') this.setPhase('changing');
  }

  setPhase(phase: Phase): void {
    this.listed.setPhase(phase);
  }

  /** Before the run is reported: what has not come by now does not come. */
  skipTheRest(): void {
    this.rows.forEach(skipIfToCome);
  }

  finish(report: RotationReport): void {
    this.report = { ...report, steps: this.steps };
    this.setPhase(endOf(report));
    this.refresh();
  }

  refresh(): void {
    setCurrentDetails(renderChecklist(this.status()));
    const { wait, trouble, cancellation } = this;
    this.listed.note({ step: this.goingOn?.name ?? null, gate: this.gates.open, wait, trouble, cancellation });
  }

  private get goingOn(): StepRecord | undefined {
    return this.rows.find(isGoingOn)?.record;
  }

  private status(): RunStatus {
    const { plan } = this;
    return {
      ref: formatRef(plan.ref),
      workflowId: workflowInfo().workflowId,
      runId: workflowInfo().runId,
      operator: plan.operator,
      reason: plan.reason,
      method: plan.method,
      phase: (this.report && endOf(this.report)) ?? this.goingOn?.name ?? this.listed.phase,
      about: [...plan.decisions, ...(plan.note === null ? [] : [`${plan.operator}: ${plan.note}`])],
      steps: this.shown.map(shownAs),
      gate: this.gates.open,
      wait: this.wait,
      trouble: this.trouble,
      steering: this.steering,
      ifCancelled: this.ifCancelled(),
      cancellation: this.cancellation,
      refusals: this.gates.refusals,
      command: plan.command,
      report: this.report,
    };
  }

  /** Long before it is heeded, perhaps: what is under way ends first. */
  private isCancelled(): void {
    const now = this.ifCancelled();
    this.cancelled = { at: new Date(Date.now()).toISOString(), tooLate: now.comes === 'too late' ? now.why : null };
    this.refresh();
  }

  private get cancellation(): Cancellation | null {
    return this.cancelled && { by: this.gates.cancelledBy, ...this.cancelled };
  }

  /** Bounded, since anybody may send it; gone with the step. Never throws. */
  private takeTrouble(said: unknown): void {
    const trouble = parseTrouble(said);
    if (trouble === null) return;
    this.trouble = trouble;
    this.refresh();
  }

  private insert(key: string, title: string, index: number): void {
    if (this.has(key)) return;
    this.rows.splice(index, 0, rowBeside(key, title));
  }

  private get shown(): Row[] {
    return this.rows.filter(({ hidden }) => !hidden);
  }

  private row(key: string): Row {
    const row = this.rows.find((candidate) => candidate.key === key);
    if (!row) throw new Error(`the runbook has no step "${key}"`);
    return row;
  }

  private set(key: string, record: StepRecord): void {
    const row = this.row(key);
    row.hidden = false;
    row.record = record;
    this.refresh();
  }
}
