/** The maintenance window is held: what disturbs services begins while it is open. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RotationReport } from '../../src/domain/report.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';
import { accompany, BEN, failureOf, worldOf } from './support/driving.js';
import { openHarness, type Harness } from './support/harness.js';
import { fullPlan, planOf } from './support/plan.js';
import { failWith } from './support/world.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

const DAY_SECONDS = 86_400;

/** Open since this minute, for an hour, once a week. */
function weekly(): { opens: string; stays: string; timeZone: string } {
  const now = new Date();
  const opens = `${now.getUTCMinutes()} ${now.getUTCHours()} * * ${now.getUTCDay()}`;
  return { opens, stays: '1h', timeZone: 'UTC' };
}

/** Open for two seconds out of ten. */
const BLINKING = { opens: '*/10 * * * * *', stays: '2s', timeZone: 'UTC' };

async function untilItHasClosed(): Promise<void> {
  while ((Date.now() / 1_000) % 10 < 2.1) await sleep(20);
}

const askedFor = (calls: readonly string[]) => calls.filter((call) => call === 'findWindow').length;

describe.concurrent('the window', () => {
  it('that closed while the overlap ran out is waited for again before the old value stops being accepted', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}), window: weekly() });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      const report = await accompany(harness, handle);
      expect(report.outcome).toBe('completed');
      const seconds = (name: string) => report.steps.find((step) => step.name === name)?.seconds;
      expect(seconds('Wait for the maintenance window')).toBeLessThan(60);
      expect(seconds('Wait for the maintenance window again')).toBeGreaterThan(5 * DAY_SECONDS);
      const { events } = await handle.fetchHistory();
      // The test's own jumps through eight days are some twenty of them.
      expect(events?.length).toBeLessThan(170);
    });
    // One question before the first deploy, one before the last: between them it is known to be open.
    expect(askedFor(world.calls)).toBe(2);
    expect(world.calls.lastIndexOf('findWindow')).toBe(world.calls.lastIndexOf('arrangeSecret new only') - 1);
  });

  it('that closed while people decided is waited for, and can still be cancelled then', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({ gates: ['retire'] }), window: weekly() });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      for (let waiting = true; waiting;) {
        const { gate, wait } = await harness.until(handle, (status) => status.gate !== null || status.wait !== null);
        if (wait) await harness.fastForward(handle, DAY_SECONDS);
        waiting = gate === null;
      }
      await handle.executeUpdate('approve', { args: [BEN] });
      await harness.until(handle, (status) => status.wait?.what.includes('maintenance window') ?? false);
      expect(world.state.arrangement, 'still accepts the old value').toBe('new, accept old');
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow();
    });
    expect(world.state).toMatchObject({ old: 'v1', running: { web: 'old only', jobs: 'old only' } });
  });

  it('that closed during a deploy is waited for before the next one, as a step of its own', async () => {
    const world = worldOf(fullPlan, {
      approval: approvalSpec.parse({}),
      window: BLINKING,
      overlap: { style: 'list', separator: ',', tokenLifetime: '1s', skew: '0s' },
    });
    world.faults.push({ activity: 'deployService', call: 1, when: 'after', act: untilItHasClosed });
    await harness.withWorker(world, async () => {
      const report = (await (await harness.start(world)).result()) as RotationReport;
      expect(report.outcome).toBe('completed');
      const names = report.steps.map((step) => step.name);
      const held = names.findIndex((name) => name.startsWith('Wait for the maintenance window (Deploy 2 of 3'));
      expect(names[held - 1]).toContain('Deploy 1 of 3');
      expect(names[held + 1]).toContain('Deploy 2 of 3');
      expect(report.steps[held]?.evidence?.summary).toMatch(/^waited for; open until /);
    });
  });

  it('is never waited for by an undo', async () => {
    const world = worldOf(planOf, { window: BLINKING });
    const failed = failWith('applied', 'jobs is not healthy');
    world.faults.push({
      activity: 'deployService',
      call: 2,
      when: 'after',
      act: async () => {
        await untilItHasClosed();
        failed();
      },
    });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.message).toContain('everything is as it was before');
    });
    expect(askedFor(world.calls.slice(world.calls.indexOf('deployService')))).toBe(0);
    expect(world.state.running).toEqual({ web: 'old only', jobs: 'old only' });
  });
});
