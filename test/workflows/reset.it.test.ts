/** `temporal workflow reset`: what was decided before its place counts, what comes after is decided anew and recorded by itself. */
import type { WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RotationReport } from '../../src/domain/report.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';
import { BEN, worldOf } from './support/driving.js';
import { openHarness, type Harness } from './support/harness.js';
import { planOf } from './support/plan.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

it.each(['signal', 'update'] as const)(
  'a decision made by %s before the place of a reset still counts after it',
  async (how) => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote', 'retire'] }) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, ({ gate }) => gate?.name === 'promote');
      if (how === 'signal') await handle.signal('approve', BEN);
      else await handle.executeUpdate('approve', { args: [BEN] });
      await harness.until(handle, ({ gate }) => gate?.name === 'retire');
      const again = await harness.reset(handle, 'deployService');
      const { gate, refusals } = await harness.until(again, (status) => status.gate?.name === 'retire');
      expect(refusals).toEqual([]);
      // A second time, to before the first: what is replayed was decided in another part of the history yet.
      const third = await harness.reset(again, 'stageSecret');
      const asked = await harness.until(third, (status) => status.gate?.name === 'promote');
      expect(asked.gate?.plan).not.toBe(gate?.plan);
      for (const name of ['promote', 'retire']) {
        const { gate: open } = await harness.until(third, (status) => status.gate?.name === name);
        await third.executeUpdate('approve', { args: [{ ...BEN, gate: name, plan: open?.plan }] });
      }
      expect(((await third.result()) as RotationReport).outcome).toBe('completed');
    });
    expect(world.state).toMatchObject({ old: 'v2', pending: null, previous: null });
  },
);

it.concurrent(
  'approvals given before a reset while their gate was open do not count when they arrive again',
  async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'], approvers: 2 }) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      const { gate } = await harness.until(handle, (status) => status.gate !== null);
      await handle.signal('approve', { ...BEN, plan: gate?.plan });
      await harness.until(handle, (status) => status.gate?.approvals.length === 1);
      await handle.signal('approve', { by: 'cleo@example.test', plan: gate?.plan });
      await handle.result();
      const again = await harness.reset(handle, 'signal 1');
      const { refusals, gate: open } = await harness.until(again, (status) => status.refusals.length === 2);
      expect(refusals[0]).toMatch(/^approve by ben@example.test refused: it came together with a reset/);
      expect(refusals[1]).toMatch(/^approve by cleo@example.test refused: it came together with a reset/);
      expect(open?.approvals).toEqual([]);
      await again.executeUpdate('reject', { args: [{ by: 'dan@example.test', plan: open?.plan }] });
      const ended: unknown = await again.result().catch((error: unknown) => error);
      expect(String((ended as { cause?: unknown }).cause)).toContain('this run was reset');
    });
  },
);

it.concurrent('a run that is reset to its very beginning asks anew, and is recorded again', async () => {
  const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
  await harness.withWorker(world, async () => {
    const handle = await harness.start(world);
    const { gate } = await harness.until(handle, (status) => status.gate !== null);
    await handle.executeUpdate('approve', { args: [BEN] });
    await handle.result();
    const again = await harness.reset(handle, 'the beginning');
    const asked = await harness.until(again, (status) => status.gate !== null);
    expect(asked.gate?.plan).not.toBe(gate?.plan);
    const unbound: unknown = await again.executeUpdate('approve', { args: [BEN] }).catch((error: unknown) => error);
    expect(((unbound as WorkflowUpdateFailedError).cause as Error).message).toContain('this run was reset');
    await again.executeUpdate('approve', { args: [{ ...BEN, plan: asked.gate?.plan }] });
    expect(((await again.result()) as RotationReport).outcome).toBe('completed');
    expect(world.state.ledger.map((row) => row.requestId)).toHaveLength(2);
  });
});

it.concurrent('a run that was recorded and is then reset is recorded again, as what it is', async () => {
  const world = worldOf(planOf);
  await harness.withWorker(world, async () => {
    const handle = await harness.start(world);
    await handle.result();
    const { runId } = await handle.describe();
    const again = await harness.reset(handle, 'forgetPrevious');
    expect(((await again.result()) as RotationReport).outcome).toBe('completed');
    expect(world.state.ledger.map((row) => row.requestId)).toEqual([
      runId,
      `${runId}, reset as ${(await again.describe()).runId}`,
    ]);
  });
});
