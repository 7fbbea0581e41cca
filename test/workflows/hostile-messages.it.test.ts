/** Whoever may use the namespace can send a run whatever he likes: it must go on, and what it keeps of that stays small. */
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RotationReport } from '../../src/domain/report.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';
import { BEN, worldOf } from './support/driving.js';
import { openHarness, type Harness } from './support/harness.js';
import { planOf } from './support/plan.js';
import type { World } from './support/world.js';

const gated = approvalSpec.parse({ gates: ['promote'] });
/** Just under what the server takes. */
const HUGE = 'k'.repeat(1_950_000);

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

/** Sends, is loaded anew by another worker, as after an eviction, and approves. @returns what the run kept. */
async function survives(world: World, send: (handle: WorkflowHandle) => Promise<void>): Promise<RotationReport> {
  const handle = await harness.withWorker(world, async () => {
    const started = await harness.start(world);
    await harness.until(started, ({ gate }) => gate !== null);
    await send(started);
    await harness.until(started, ({ refusals }) => refusals.length > 0);
    return started;
  });
  return await harness.withWorker(world, async () => {
    const { gate } = await harness.until(handle, (status) => status.gate !== null);
    expect(gate?.approvals).toEqual([]);
    await handle.executeUpdate('approve', { args: [BEN] });
    return (await handle.result()) as RotationReport;
  });
}

const sizeOf = (value: unknown): number => JSON.stringify(value).length;

it('signals of almost 2 MB each, with their bulk in a key, a value or a name, leave short refusals', async () => {
  const report = await survives(worldOf(planOf, { approval: gated }), async (handle) => {
    for (const input of [{ by: 'ben', [HUGE]: 1 }, { by: HUGE }, { by: 'ben', note: HUGE }, { by: 'ben', gate: HUGE }])
      await handle.signal('approve', input);
    await handle.signal('extend', { by: 'ben', for: HUGE });
  });
  expect(report.outcome).toBe('completed');
  expect(report.refusals).toHaveLength(5);
  for (const line of report.refusals) expect(line.length).toBeLessThan(400);
});

it('five hundred signals leave the last few refusals and a count', async () => {
  const report = await survives(worldOf(planOf, { approval: gated }), async (handle) => {
    for (let sent = 0; sent < 500; sent += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => handle.signal('approve', { [`k${sent + index}`]: 1 })),
      );
    await harness.until(handle, ({ refusals }) => refusals[0]?.includes('480') ?? false);
  });
  expect(report.outcome).toBe('completed');
  expect(report.refusals[0]).toBe('… and 480 more');
  expect(sizeOf(report.refusals)).toBeLessThan(10_000);
});

it('data that cannot be read, or made into words, is refused like any other', async () => {
  const report = await survives(worldOf(planOf, { approval: gated }), async (handle) => {
    for (const input of [{ by: { toString: 1 } }, { by: ['ben'] }, [[[]]], 7, null])
      await handle.signal('approve', input);
    for (const signal of ['approve', 'reject', 'extend', 'noSuchSignal', '__temporal_mine'])
      for (const encoding of ['binary/unknown', 'json/plain', ''])
        await harness.client.workflowService.signalWorkflowExecution({
          namespace: 'default',
          workflowExecution: { workflowId: handle.workflowId },
          signalName: signal,
          input: { payloads: [{ metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from('{"by":') }] },
        });
    await expect(handle.executeUpdate('__temporal_mine', { args: [1] })).rejects.toMatchObject({
      cause: { message: 'there is no update "temporal: mine"; send approve or reject' },
    });
  });
  expect(report.outcome).toBe('completed');
  expect(report.refusals).toHaveLength(20);
});

it('invalid updates, many at once, are each told why in few words and leave nothing', async () => {
  const world = worldOf(planOf, { approval: gated });
  await harness.withWorker(world, async () => {
    const handle = await harness.start(world);
    await harness.until(handle, ({ gate }) => gate !== null);
    const told = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        handle
          .executeUpdate('approve', { args: [{ by: 'ben', ['x'.repeat(100_000)]: index }] })
          .catch((error: unknown) => error),
      ),
    );
    const refused = told.filter((error) => error instanceof WorkflowUpdateFailedError);
    expect(refused.length).toBeGreaterThan(0);
    for (const { cause } of refused) expect(cause?.message.length).toBeLessThan(500);
    await handle.executeUpdate('approve', { args: [BEN] });
    expect(((await handle.result()) as RotationReport).refusals).toEqual([]);
  });
});
