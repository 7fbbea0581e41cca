/**
 * Temporal's part in this process: the shipped bundle in the SDK's own sandbox, and in place of a server what the runbooks use of one:
 * activities with their attempts, timers, cancellation, signals, queries, children. Time passes as soon as nothing is under way, so a
 * delay of a day costs nothing and an order never depends on the machine. A run takes milliseconds instead of a second.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { Workflow } from '@temporalio/worker/lib/workflow/interface.js';
import { TypedSearchAttributes } from '@temporalio/common';
import { Execution, type Parent } from './execution.js';

export type Carry = (name: string, args: unknown[], run: { workflowId: string; runId: string }) => Promise<unknown>;

export interface Start {
  readonly workflowId: string;
  readonly type: string;
  readonly taskQueue: string;
  readonly args: readonly unknown[];
  /** Of a child. */
  readonly parent?: Parent;
  /** Of a run that goes on as a new one. */
  readonly firstRunId?: string;
}

export class Engine {
  private readonly latest = new Map<string, Execution>();

  private constructor(
    private readonly creator: ReusableVMWorkflowCreator,
    /** Carries out one attempt of an activity, within its context. */
    readonly carry: Carry,
  ) {}

  static async open(bundle: string, activities: readonly string[], carry: Carry): Promise<Engine> {
    const code = parseWorkflowCode(await readFile(bundle, 'utf8'), bundle);
    // Its hooks on every promise of the process are for stack traces in the UI.
    Object.assign(globalHandlers, { installed: true });
    return new Engine(await ReusableVMWorkflowCreator.create(code, 10_000, new Set(activities)), carry);
  }

  /** @returns null: one runs under this id. */
  start(how: Start): Execution | null {
    if (this.running(how.workflowId)) return null;
    const runId = randomUUID();
    const execution = new Execution(this, how, runId);
    this.latest.set(how.workflowId, execution);
    void execution.begin();
    return execution;
  }

  /** The run under this id that goes on. @param runId only this one. */
  running(workflowId: string, runId?: string): Execution | null {
    const found = this.latest.get(workflowId);
    return found && !found.over && (!runId || found.runId === runId) ? found : null;
  }

  async sandbox(
    { workflowId, type, taskQueue, parent, firstRunId }: Start,
    runId: string,
    now: number,
  ): Promise<Workflow> {
    const at = new Date(now);
    return await this.creator.createWorkflow({
      info: {
        ...{ workflowId, runId, workflowType: type, taskQueue, namespace: 'default' },
        searchAttributes: {},
        typedSearchAttributes: new TypedSearchAttributes(),
        ...(parent ? { parent: { ...parent, namespace: 'default' } } : {}),
        firstExecutionRunId: firstRunId ?? runId,
        originalExecutionRunId: runId,
        ...{ startTime: at, runStartTime: at, taskTimeoutMs: 10_000, attempt: 1 },
        ...{ historyLength: 3, historySize: 0, continueAsNewSuggested: false },
        unsafe: { now: () => Date.now(), isReplaying: false, isReplayingHistoryEvents: false },
      } as never,
      randomnessSeed: [...Buffer.from(runId)],
      now,
      showStackTraceSources: false,
    });
  }
}
