/** All runs of the matrix: the shipped bundle, and behind the activities each run's own world, found by its workflow id. */
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import type { IfCancelled } from '../../../src/domain/cancelling.js';
import { STATUS_QUERY } from '../../../src/domain/messages.js';
import type { Reason } from '../../../src/domain/reason.js';
import type { RotationReport } from '../../../src/domain/report.js';
import type { GateName } from '../../../src/domain/specs/policy.js';
import type { RunStatus } from '../../../src/domain/status.js';
import type { Fault } from '../../workflows/support/faults.js';
import { Engine } from './engine/engine.js';
import type { Ended, Execution } from './engine/execution.js';
import { backupPlan } from './plans.js';
import { inputOf, workflowIdOf, type Runbook } from './runbooks.js';
import { World } from './world/world.js';

const BUNDLE = fileURLToPath(new URL('../../../dist/workflow-bundle.js', import.meta.url));

/** Asked beside the steps, or by the worker that carries the run: how often depends on the machine. */
const BESIDE = ['remindApprovers', 'awaitAdoption', 'awaitReentries', 'awaitServices', 'findHolder'];
const LOCAL = ['findAhead'];
/** Taken back once what it asks about has come to be. */
const ANSWERED_BY_ITSELF = ['reentry'];

/** It failed without a report, before it had a plan. */
const NOT_BEGUN = 'not begun';

const QUEUE = 'order';

export type Decision = 'approve' | 'reject';

/** One run of a case's workflow id. */
export interface Attempt {
  readonly runId: string;
  /** `deployService 2`, in order, each once however often it was attempted. */
  readonly calls: string[];
  /** Of every call: what a cancellation would have come to; null: the run does not know yet. */
  readonly outlooks: Map<string, IfCancelled | null>;
  /** Gates that opened. */
  readonly gates: string[];
  outcome: string;
  report: RotationReport | null;
}

export class Case {
  readonly world: World;
  readonly plan: ReturnType<Runbook['plan']>;
  readonly workflowId: string;
  readonly attempts: Attempt[] = [];
  /** By call. Of the first run only. */
  readonly faults = new Map<string, Fault>();
  /** Of the runs that come after it. */
  readonly nextFaults = new Map<string, Fault>();
  /** The faults that came to be. */
  readonly disturbed: string[] = [];
  readonly decisions = new Map<string, Decision>();
  /** Of the first run: every call is asked for its outlook. */
  looks = false;

  constructor(
    readonly runbook: Runbook,
    readonly reason: Reason,
    plan: ReturnType<Runbook['plan']>,
    private readonly engine: Engine,
  ) {
    this.plan = plan;
    const backup = backupPlan(plan);
    const { kind, begins } = runbook;
    this.world = new World({ kind, plan, backup, ...(begins ? { begins } : {}) });
    this.workflowId = workflowIdOf(runbook, plan, backup);
  }

  /** The run that goes on. */
  get execution(): Execution {
    const running = this.engine.running(this.workflowId);
    if (!running) throw new Error(`${this.workflowId} does not run`);
    return running;
  }

  /** Starts a run and waits for its end, and for that of each which goes on from it. */
  async run(): Promise<Attempt> {
    const { runbook, plan, reason, workflowId, engine } = this;
    const args = [inputOf(runbook, plan, backupPlan(plan), reason)];
    const started = engine.start({ workflowId, type: runbook.type, taskQueue: plan.taskQueue, args });
    if (!started) throw new Error(`${workflowId} is under way`);
    for (let execution = started; ;) {
      const attempt = this.attemptOf(execution.runId);
      const end: Ended = await execution.ended;
      const row = this.world.state.ledger.find(({ requestId }) => requestId === attempt.runId);
      Object.assign(attempt, endOf(end, row ?? null));
      if (end.is !== 'goes on as a new run') return attempt;
      execution = end.next;
    }
  }

  attemptOf(runId: string): Attempt {
    const known = this.attempts.find((attempt) => attempt.runId === runId);
    if (known) return known;
    const attempt = { runId, calls: [], outlooks: new Map(), gates: [], outcome: 'goes on', report: null };
    this.attempts.push(attempt);
    return attempt;
  }

  async carryOut(name: string, args: unknown[], ids: Map<string, string>): Promise<unknown> {
    const { info } = Context.current();
    const { runId = '' } = info.workflowExecution ?? {};
    const attempt = this.attemptOf(runId);
    const body = (): Promise<unknown> => this.world.call(name, args);
    if (name === 'remindApprovers') this.decide(attempt, (args[0] as { gate: string }).gate);
    if (BESIDE.includes(name)) return await body();
    const id = `${runId} ${info.activityId} ${LOCAL.includes(name) ? 'local' : ''}`;
    const nth = attempt.calls.filter((call) => call.split(' ')[0] === name).length + 1;
    const call = ids.get(id) ?? `${name} ${nth}`;
    if (!ids.has(id)) {
      ids.set(id, call);
      attempt.calls.push(call);
      if (this.looks && !LOCAL.includes(name)) attempt.outlooks.set(call, await this.outlook());
    }
    const first = this.attempts[0] === attempt;
    const fault = (first ? this.faults : this.nextFaults).get(call);
    if (!fault) return await body();
    this.disturbed.push(call);
    return await fault(info.attempt, body);
  }

  /** As soon as it is open, of which the reminder tells. */
  private decide(attempt: Attempt, gate: string): void {
    if (ANSWERED_BY_ITSELF.includes(gate) || attempt.gates.includes(gate)) return;
    attempt.gates.push(gate);
    const decision = this.decisions.get(gate) ?? 'approve';
    this.execution.signal(decision, { by: 'ben@example.test', gate });
  }

  private async outlook(): Promise<IfCancelled | null> {
    return await this.execution.query(STATUS_QUERY).then(
      (status) => (status as RunStatus).ifCancelled,
      () => null,
    );
  }
}

export class Stage {
  private readonly cases = new Map<string, Case>();
  private readonly ids = new Map<string, string>();

  engine!: Engine;

  /** @param someRunbook whichever: the world behind all of them has the same activities. */
  static async open(someRunbook: Runbook): Promise<Stage> {
    const plan = someRunbook.plan('NONE', QUEUE);
    const { activities } = new World({ kind: 'none', plan, backup: backupPlan(plan) });
    const stage = new Stage();
    stage.engine = await Engine.open(BUNDLE, activities, (name, args, run) => stage.carryOut(name, args, run));
    return stage;
  }

  /** @param named part of its workflow id. */
  case(runbook: Runbook, reason: Reason, gates: readonly GateName[], named: string): Case {
    const plan = { ...runbook.plan(named, QUEUE), reason };
    const approval = { ...plan.approval, gates: [...gates] };
    const one = new Case(runbook, reason, { ...plan, approval }, this.engine);
    this.cases.set(one.workflowId, one);
    return one;
  }

  /** Its world is not needed any more. */
  done({ workflowId }: Case): void {
    this.cases.delete(workflowId);
  }

  private async carryOut(name: string, args: unknown[], { workflowId }: { workflowId: string }): Promise<unknown> {
    const one = this.cases.get(workflowId);
    if (!one) throw ApplicationFailure.nonRetryable(`no run ${workflowId} is under way`);
    return await one.carryOut(name, args, this.ids);
  }
}

function endOf(end: Ended, row: RotationReport | null): Pick<Attempt, 'outcome' | 'report'> {
  switch (end.is) {
    case 'completed': {
      const report = end.result as RotationReport;
      return { outcome: report.outcome, report };
    }
    case 'failed': {
      const { error } = end;
      if (!(error instanceof TemporalFailure)) throw error;
      if (!(error instanceof ApplicationFailure)) return { outcome: NOT_BEGUN, report: null };
      const report = (error.details?.[0] as RotationReport | undefined) ?? null;
      return { outcome: report?.outcome ?? NOT_BEGUN, report };
    }
    case 'goes on as a new run':
      return { outcome: row?.outcome ?? 'not recorded', report: row };
    default:
      return { outcome: end.is, report: row };
  }
}
