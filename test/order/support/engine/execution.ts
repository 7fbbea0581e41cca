/** One run of a workflow: it is told what has happened, and what it asks for then is done. */
import { randomUUID } from 'node:crypto';
import { arrayFromPayloads, defaultFailureConverter, defaultPayloadConverter, toPayloads } from '@temporalio/common';
import { msToTs, optionalTsToMs } from '@temporalio/common/lib/time.js';
import { coresdk } from '@temporalio/proto';
import type { Workflow } from '@temporalio/worker/lib/workflow/interface.js';
import { Attempts, type Scheduled } from './attempts.js';
import type { Engine, Start } from './engine.js';

type Job = coresdk.workflow_activation.IWorkflowActivationJob;
type Command = coresdk.workflow_commands.IWorkflowCommand;
export type Ended =
  | { readonly is: 'completed'; readonly result: unknown }
  | { readonly is: 'failed'; readonly error: Error }
  | { readonly is: 'cancelled' | 'terminated' }
  | { readonly is: 'goes on as a new run'; readonly next: Execution };

export interface Parent {
  readonly workflowId: string;
  readonly runId: string;
}

/** Nothing here takes longer: what does waits for something that does not come. */
const PATIENCE_MS = 30_000;
const WAIT_CANCELLATION_COMPLETED = 1;

interface Timer {
  readonly at: number;
  readonly body: () => void;
}

export class Execution {
  readonly ended: Promise<Ended>;
  over = false;
  private end!: (end: Ended) => void;
  private sandbox: Workflow | null = null;
  private now = Date.now();
  private jobs: Job[] = [];
  private busy = false;
  private readonly timers = new Map<string, Timer>();
  private readonly activities = new Map<number, Attempts>();
  private readonly children: Execution[] = [];
  private readonly net: NodeJS.Timeout;

  constructor(
    private readonly engine: Engine,
    private readonly how: Start,
    readonly runId: string,
  ) {
    this.ended = new Promise((done) => (this.end = done));
    this.net = setTimeout(() => this.close({ is: 'failed', error: new Error(this.stuck()) }), PATIENCE_MS);
  }

  get workflowId(): string {
    return this.how.workflowId;
  }

  async begin(): Promise<void> {
    const { workflowId, type, args, parent, firstRunId } = this.how;
    this.sandbox = await this.engine.sandbox(this.how, this.runId, this.now);
    const initializeWorkflow = {
      ...{ workflowId, workflowType: type, firstExecutionRunId: firstRunId ?? this.runId, attempt: 1 },
      arguments: toPayloads(defaultPayloadConverter, ...args) ?? [],
      ...(parent ? { parentWorkflowInfo: { ...parent, namespace: 'default' } } : {}),
    };
    this.tell({ initializeWorkflow });
  }

  cancel(): void {
    this.tell({ cancelWorkflow: { reason: '' } });
  }

  terminate(): void {
    this.close({ is: 'terminated' });
  }

  signal(signalName: string, ...args: unknown[]): void {
    this.tell({ signalWorkflow: { signalName, input: toPayloads(defaultPayloadConverter, ...args) ?? [] } });
  }

  /** @throws where the run knows no such query. */
  async query(queryType: string): Promise<unknown> {
    const queryWorkflow = { queryId: randomUUID(), queryType, arguments: [] };
    const commands = await this.activate([{ queryWorkflow }]);
    const answer = commands.find(({ respondToQuery }) => respondToQuery)?.respondToQuery;
    const payload = answer?.succeeded?.response;
    if (!payload) throw new Error(answer?.failed?.message ?? 'no answer');
    return defaultPayloadConverter.fromPayload(payload);
  }

  private tell(job: Job): void {
    if (this.over) return;
    this.jobs.push(job);
    void this.go();
  }

  /** What has happened by now is told at once; only when nothing is under way any more does time pass. */
  private async go(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      // What happens in the same moment is told together, as a server does.
      await new Promise(setImmediate);
      while (this.jobs.length > 0 && !this.over) {
        const jobs = this.jobs.splice(0);
        for (const command of await this.activate(jobs)) this.do(command);
        if (this.jobs.length === 0 && !this.isWaitedFor()) this.passTime();
      }
    } catch (error) {
      this.close({ is: 'failed', error: error as Error });
    } finally {
      this.busy = false;
    }
    if (this.jobs.length > 0 && !this.over) await this.go();
  }

  private isWaitedFor(): boolean {
    return [...this.activities.values()].some(({ underWay }) => underWay);
  }

  private passTime(): void {
    const [first] = [...this.timers].sort(([, one], [, other]) => one.at - other.at);
    if (!first) return;
    const [key, { at, body }] = first;
    this.timers.delete(key);
    this.now = Math.max(this.now, at);
    body();
  }

  private async activate(jobs: Job[]): Promise<Command[]> {
    if (!this.sandbox) throw new Error(`${this.workflowId} has not begun`);
    const activation = coresdk.workflow_activation.WorkflowActivation.fromObject({
      ...{ runId: this.runId, timestamp: msToTs(this.now), historyLength: 3, isReplaying: false, jobs },
    });
    const { successful, failed } = await this.sandbox.activate(activation);
    if (failed) throw defaultFailureConverter.failureToError(failed.failure ?? {}, defaultPayloadConverter);
    return successful?.commands ?? [];
  }

  private do(command: Command): void {
    if (this.over) return;
    const { startTimer, cancelTimer, scheduleActivity, scheduleLocalActivity, completeWorkflowExecution } = command;
    if (startTimer) this.startTimer(startTimer);
    else if (cancelTimer) this.timers.delete(`timer ${cancelTimer.seq ?? 0}`);
    else if (scheduleActivity) this.schedule(scheduleActivity, false);
    else if (scheduleLocalActivity) this.schedule(scheduleLocalActivity, true);
    else if (command.requestCancelActivity) this.activities.get(command.requestCancelActivity.seq ?? 0)?.cancel();
    else if (command.requestCancelLocalActivity)
      this.activities.get(command.requestCancelLocalActivity.seq ?? 0)?.cancel();
    else if (command.startChildWorkflowExecution) this.startChild(command.startChildWorkflowExecution);
    else if (command.signalExternalWorkflowExecution) this.signalOther(command.signalExternalWorkflowExecution);
    else if (completeWorkflowExecution) {
      const { result } = completeWorkflowExecution;
      this.close({ is: 'completed', result: result ? defaultPayloadConverter.fromPayload(result) : undefined });
    } else if (command.failWorkflowExecution) {
      const { failure } = command.failWorkflowExecution;
      const error = defaultFailureConverter.failureToError(failure ?? {}, defaultPayloadConverter);
      this.close({ is: 'failed', error });
    } else if (command.cancelWorkflowExecution) this.close({ is: 'cancelled' });
    else if (command.continueAsNewWorkflowExecution) this.goOn(command.continueAsNewWorkflowExecution);
    else if (!SHOWN.some((name) => command[name])) throw new Error(`nothing here does ${JSON.stringify(command)}`);
  }

  private startTimer({ seq, startToFireTimeout }: coresdk.workflow_commands.IStartTimer): void {
    const at = this.now + (optionalTsToMs(startToFireTimeout) ?? 0);
    this.timers.set(`timer ${seq ?? 0}`, { at, body: () => this.tell({ fireTimer: { seq: seq ?? 0 } }) });
  }

  private schedule(
    asked: coresdk.workflow_commands.IScheduleActivity | coresdk.workflow_commands.IScheduleLocalActivity,
    isLocal: boolean,
  ): void {
    const seq = asked.seq ?? 0;
    const scheduled: Scheduled = {
      activityId: asked.activityId ?? '',
      activityType: asked.activityType ?? '',
      args: arrayFromPayloads(defaultPayloadConverter, asked.arguments),
      retryPolicy: asked.retryPolicy,
      waitsForCancellation: Number(asked.cancellationType) === WAIT_CANCELLATION_COMPLETED,
      isLocal,
    };
    const { workflowId, runId } = this;
    const attempts = new Attempts(scheduled, {
      workflowId,
      runId,
      now: () => this.now,
      carry: (name, args) => this.engine.carry(name, args, { workflowId, runId }),
      after: (milliseconds, body) => {
        const key = `attempt of ${seq}`;
        this.timers.set(key, { at: this.now + milliseconds, body });
        this.timeMayPass();
        return () => void this.timers.delete(key);
      },
      resolve: (result) => {
        this.activities.delete(seq);
        this.tell({ resolveActivity: { seq, result, isLocal } });
      },
    });
    this.activities.set(seq, attempts);
    attempts.next();
  }

  /** An attempt has failed: the next one comes when it is its time. */
  private timeMayPass(): void {
    setImmediate(() => {
      if (!this.busy && !this.over && this.jobs.length === 0 && !this.isWaitedFor()) this.passTime();
    });
  }

  private startChild(asked: coresdk.workflow_commands.IStartChildWorkflowExecution): void {
    const { workflowId, runId, how } = this;
    const seq = asked.seq ?? 0;
    const child = this.engine.start({
      workflowId: asked.workflowId ?? '',
      type: asked.workflowType ?? '',
      taskQueue: how.taskQueue,
      args: arrayFromPayloads(defaultPayloadConverter, asked.input),
      parent: { workflowId, runId },
    });
    if (!child) {
      const failed = { workflowId: asked.workflowId ?? '', workflowType: asked.workflowType ?? '', cause: 1 };
      this.tell({ resolveChildWorkflowExecutionStart: { seq, failed } });
      return;
    }
    this.children.push(child);
    this.tell({ resolveChildWorkflowExecutionStart: { seq, succeeded: { runId: child.runId } } });
    void child.ended.then((end) => {
      const result = end.is === 'completed' ? { completed: {} } : { failed: { failure: { message: end.is } } };
      this.tell({ resolveChildWorkflowExecution: { seq, result } });
    });
  }

  private signalOther(asked: coresdk.workflow_commands.ISignalExternalWorkflowExecution): void {
    const { workflowId = '', runId } = asked.workflowExecution ?? {};
    const other = this.engine.running(workflowId ?? '', runId ?? '');
    other?.signal(asked.signalName ?? '', ...arrayFromPayloads(defaultPayloadConverter, asked.args));
    const failure = { message: 'not found', applicationFailureInfo: { type: 'ExternalWorkflowExecutionNotFound' } };
    this.tell({ resolveSignalExternalWorkflow: { seq: asked.seq ?? 0, ...(other ? {} : { failure }) } });
  }

  private goOn(asked: coresdk.workflow_commands.IContinueAsNewWorkflowExecution): void {
    this.over = true;
    const firstRunId = this.how.firstRunId ?? this.runId;
    const args = arrayFromPayloads(defaultPayloadConverter, asked.arguments);
    const next = this.engine.start({ ...this.how, args, firstRunId });
    if (!next) throw new Error(`another run has come in between under ${this.workflowId}`);
    this.close({ is: 'goes on as a new run', next });
  }

  private close(end: Ended): void {
    if (this.over && end.is !== 'goes on as a new run') return;
    this.over = true;
    clearTimeout(this.net);
    this.timers.clear();
    for (const activity of this.activities.values()) activity.drop();
    // As ParentClosePolicy.TERMINATE.
    for (const child of this.children) child.terminate();
    this.end(end);
    const { sandbox } = this;
    // Not within its own activation.
    setImmediate(() => void sandbox?.dispose());
  }

  private stuck(): string {
    const waits = [...this.activities.keys()].join(', ');
    return `${this.workflowId} does not end: activities ${waits}; timers ${[...this.timers.keys()].join(', ')}`;
  }
}

/** Said for people, or for the list of runs. */
const SHOWN = [
  'upsertWorkflowSearchAttributes',
  'modifyWorkflowProperties',
  'respondToQuery',
  'setPatchMarker',
] as const;
