import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { Console } from '../../src/cli/console.js';
import type { Context } from '../../src/cli/context.js';
import { listRuns } from '../../src/cli/status-list.js';
import { connectTemporal, type TemporalClient } from '../../src/cli/temporal.js';
import { LIST_NOTE, SEARCH_ATTRIBUTES } from '../../src/domain/status.js';
import { freshTaskQueue } from '../support/servers.js';

const RUNS = 30;
const taskQueue = freshTaskQueue('list');
const system = taskQueue;
const GATE = {
  name: 'promote',
  plan: `${'0'.repeat(32)}@${'1'.repeat(12)}`,
  question: 'Use the new value?',
  openedAt: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-02T00:00:00.000Z',
  onExpiry: 'deny',
  approvals: [],
  approversNeeded: 1,
  allowed: ['ben', 'carla'],
  requester: 'ana',
  requesterMayApprove: false,
};
const CANCELLATION = { by: 'ana', at: '2026-01-01T00:00:00.000Z', tooLate: null };

let temporal: TemporalClient;
beforeAll(async () => {
  temporal = await connectTemporal({ connectionOptions: { address: inject('temporalAddress') }, source: 'the test' });
  const notes: unknown[] = Array.from({ length: RUNS }, (_, index) => ({
    step: 'Approval',
    gate: index === 1 ? null : GATE,
    wait: null,
    trouble: null,
    cancellation: index === 1 ? CANCELLATION : null,
  }));
  notes.push('no note', {
    step: null,
    gate: { ...GATE, plan: '$(rm -rf /)' },
    wait: null,
    trouble: null,
    cancellation: null,
  });
  await Promise.all(notes.map((note, index) => start(`SECRET_${index}`, note)));
  const query = `TaskQueue = "${taskQueue}"`;
  // Visibility follows a moment later.
  await vi.waitFor(async () => expect((await temporal.client.workflow.count(query)).count).toBe(RUNS + 2), {
    timeout: 30_000,
  });
}, 60_000);
afterAll(async () => {
  await Promise.all(
    Array.from({ length: RUNS + 2 }, (_, index) =>
      temporal.client.workflow.getHandle(`rotate:${system}/production/SECRET_${index}`).terminate('seen'),
    ),
  );
  await temporal.close();
});

/** As it stands when a worker has brought it to its gate, and went away for good. */
async function start(secret: string, note: unknown): Promise<void> {
  const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
  await temporal.client.workflow.start('rotateSessionSecret', {
    workflowId: `rotate:${system}/production/${secret}`,
    taskQueue,
    memo: { [LIST_NOTE]: note },
    typedSearchAttributes: new TypedSearchAttributes([
      { key: keyword(SEARCH_ATTRIBUTES.phase), value: 'awaiting approval' },
      { key: keyword(SEARCH_ATTRIBUTES.taskQueue), value: taskQueue },
    ]),
  });
}

test('all runs come by one question to Temporal: none is asked, and each task queue once', async () => {
  const service = temporal.client.workflowService;
  const spies = {
    listed: vi.spyOn(service, 'listWorkflowExecutions'),
    asked: vi.spyOn(service, 'queryWorkflow'),
    described: vi.spyOn(service, 'describeWorkflowExecution'),
    queues: vi.spyOn(service, 'describeTaskQueue'),
  };
  const shown = await listed();
  const calls = (spy: { mock: { calls: readonly unknown[] } }): number => spy.mock.calls.length;
  expect(shown.filter(({ ref }) => ref.startsWith(system))).toHaveLength(RUNS + 2);
  expect([calls(spies.listed), calls(spies.asked), calls(spies.described)]).toEqual([1, 0, 0]);
  const queues = spies.queues.mock.calls.map(
    ([request]) => (request as { taskQueue: { name: string } }).taskQueue.name,
  );
  expect(queues.filter((name) => name === taskQueue)).toHaveLength(2);
});

test('a run says what it waits for though no worker could answer for it, and what is no note of a run is not believed', async () => {
  const shown = (await listed()).filter(({ ref }) => ref.startsWith(system));
  const statusOf = (index: number) => shown.find(({ ref }) => ref.endsWith(`/SECRET_${index}`));
  expect(statusOf(0)).toMatchObject({
    status: { gate: GATE },
    note: 'a worker: none answers',
    unservedQueues: [taskQueue],
  });
  expect(statusOf(1)).toMatchObject({ status: { cancellation: CANCELLATION } });
  for (const forged of [RUNS, RUNS + 1]) expect(statusOf(forged)).toMatchObject({ status: { gate: null } });
});

interface Shown {
  readonly ref: string;
  readonly status: unknown;
  readonly note: string | null;
  readonly unservedQueues: readonly string[];
}

async function listed(): Promise<readonly Shown[]> {
  const console = new Console({ json: true, colour: false, env: {} });
  let document: unknown;
  vi.spyOn(console, 'document').mockImplementation((value) => (document = value));
  const context: Context = { console, env: {}, cwd: '/', inventory: undefined };
  await listRuns(context, temporal, { url: null, namespace: 'default' });
  return (document as { running: readonly Shown[] }).running;
}
