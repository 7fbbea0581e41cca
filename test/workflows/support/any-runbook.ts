/** Activities of every runbook that only remember the order in which they were called: for what the workflow alone decides. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import { NO_ROWS } from '../../../src/domain/row-counts.js';
import { rotationWorkflowId } from '../../../src/domain/refs.js';
import type { RunbookActivities } from '../../../src/workflows/lib/activities.js';
import { afterwards } from '../../support/afterwards.js';
import type { Harness } from './harness.js';
import { fullPlan } from './plan.js';

export type AnyActivity = keyof RunbookActivities;
type Given = ReturnType<typeof fullPlan>;

export interface AnyRun {
  readonly handle: WorkflowHandle;
  /** `arrangeSecret new only`, `deployService`, … each once, however often it was attempted. */
  readonly calls: string[];
  /** Of the rows for the ledger. */
  readonly notes: string[];
}

export interface AnyStart {
  readonly type: string;
  readonly reason: string;
  readonly changes?: Partial<Given>;
  /** What readiness finds of an earlier run, the first time. */
  readonly leftBehind?: object;
  /** In place of an activity's answer. */
  readonly fault?: { readonly activity: AnyActivity; readonly act: (handle: WorkflowHandle) => Promise<void> | void };
}

const ANSWERS: Partial<Record<AnyActivity, object>> = {
  checkReadiness: { leftBehind: null, things: [], tokenHeader: null, deployedBy: null },
  findSessions: { sessions: [], lines: [], key: '' },
  findRejected: { rejected: 0, from: [] },
  disableOldRole: { logs: {} },
  changePassword: { at: '2026-01-01T00:00:00Z' },
  reencryptAtomically: { counts: NO_ROWS, unreadable: [] },
  reencryptRows: { counts: NO_ROWS, unreadable: [] },
  readRows: { others: 0, which: [] },
  ...Object.fromEntries(
    (['proveOldRefused', 'proveOldLoginRefused', 'proveOldKeyUnused'] as const).map((name) => [
      name,
      { proof: { proven: true, because: 'refused' } },
    ]),
  ),
  recordRotation: { sequence: 1, nextDueAt: null },
};

const NAMES: readonly AnyActivity[] = [
  ...(['checkReadiness', 'stageSecret', 'arrangeSecret', 'discardSecret', 'forgetPrevious', 'deployService'] as const),
  ...([
    'revokeSessions',
    'runChecks',
    'watchMonitors',
    'proveOldRefused',
    'recordRotation',
    'stageCredential',
  ] as const),
  ...(['createRole', 'proveNewRole', 'removeNewRole', 'changePassword', 'findSessions', 'recompareRights'] as const),
  ...(['restoreOldRole', 'disableOldRole', 'enableOldRole', 'findRejected', 'terminateOldSessions'] as const),
  ...(['dropOldRole', 'proveOldLoginRefused', 'stageKey', 'stopService', 'reencryptAtomically'] as const),
  ...(['reencryptRows', 'readRows', 'discardKey', 'proveOldKeyUnused', 'resolveBackup'] as const),
];

interface Remembered extends AnyStart {
  readonly plan: Given;
  readonly calls: string[];
  readonly notes: string[];
}

/** One worker for all runs of a file. @returns starts a run with every step there is. */
export async function openAnyRunbook(harness: Harness): Promise<(start: AnyStart) => Promise<AnyRun>> {
  const runs = new Map<string, Remembered>();
  const taskQueue = `any-${randomUUID().slice(0, 8)}`;
  const handleOf = (workflowId: string): WorkflowHandle => harness.client.workflow.getHandle(workflowId);
  const here = (): { run: Remembered; workflowId: string } => {
    const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
    const run = runs.get(workflowId);
    if (!run) throw new Error(`no run ${workflowId}`);
    return { run, workflowId };
  };
  const remembering =
    (name: AnyActivity) => async (input: { arrangement?: string; to?: string; notes?: string } | undefined) => {
      const { run, workflowId } = here();
      if (Context.current().info.attempt === 1)
        run.calls.push([name, input?.arrangement ?? input?.to].filter(Boolean).join(' '));
      if (input?.notes !== undefined) run.notes.push(input.notes);
      if (run.fault?.activity === name) await run.fault.act(handleOf(workflowId));
      const left =
        name === 'checkReadiness' && run.calls.filter((call) => call === name).length === 1 && run.leftBehind;
      return { summary: name, ...ANSWERS[name], ...(left ? { leftBehind: left } : {}) };
    };
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  afterwards(() => connection.close());
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: { codePath: fileURLToPath(new URL('../../../dist/workflow-bundle.js', import.meta.url)) },
    activities: {
      ...Object.fromEntries(NAMES.map((name) => [name, remembering(name)])),
      resolvePlan: (request: object) =>
        Promise.resolve({ ...here().run.plan, note: null, ...request, ref: here().run.plan.ref }),
    },
  });
  const running = worker.run();
  afterwards(async () => {
    worker.shutdown();
    await running;
  });
  return async (start) => {
    const plan = fullPlan(`SECRET_${randomUUID().slice(0, 8)}`, taskQueue, start.changes);
    const calls: string[] = [];
    const notes: string[] = [];
    const workflowId = rotationWorkflowId(plan.ref);
    runs.set(workflowId, { ...start, plan, calls, notes });
    const args = [{ ...plan.ref, operator: 'ana@example.test', reason: start.reason }];
    return { calls, notes, handle: await harness.client.workflow.start(start.type, { workflowId, taskQueue, args }) };
  };
}
