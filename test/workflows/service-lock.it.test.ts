/** One run a service at a time: who waits, for whom, in which order, and that any end of the holder frees it. */
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { lockIdOf } from '../../src/domain/service-lock.js';
import type { RotationReport } from '../../src/domain/report.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';
import { accompany, failureOf, worldOf } from './support/driving.js';
import { openHarness, type Harness } from './support/harness.js';
import { fullPlan, planOf } from './support/plan.js';
import { failWith, type ActivityName, type World } from './support/world.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

const plainly = { approval: approvalSpec.parse({}) };

/** Worlds on the same services, which know of each other by nothing but that. */
function sharing(count: number, make: typeof planOf = planOf, things = [`host:/srv/${randomUUID()}`]): World[] {
  return Array.from({ length: count }, () => Object.assign(worldOf(make, plainly), { things }));
}

/** Held until it is let go, in the n-th call. */
function held(world: World, activity: ActivityName, call = 1): { let: () => void; reached: Promise<unknown> } {
  const letting = new EventEmitter();
  const [gone, reached] = [once(letting, 'let'), once(letting, 'reached')];
  world.faults.push({
    activity,
    call,
    when: 'before',
    act: async () => {
      letting.emit('reached');
      await gone;
    },
  });
  return { let: () => void letting.emit('let'), reached };
}

const waitsFor =
  (world: World) => (status: { steps: readonly { name: string; state: string; seen?: readonly string[] }[] }) =>
    status.steps.some(
      ({ name, state, seen }) =>
        name.startsWith('Wait for web, jobs') &&
        state === 'running' &&
        (seen?.[0]?.includes(world.plan.ref.secret) ?? false),
    );

async function isHeld(world: World): Promise<boolean> {
  const [thing = ''] = world.things;
  const status = await harness.client.workflow.getHandle(lockIdOf(thing)).describe();
  return status.status.name === 'RUNNING';
}

async function withBoth<T>(worlds: readonly World[], body: () => Promise<T>): Promise<T> {
  const [first, ...others] = worlds;
  return first ? await harness.withWorker(first, () => withBoth(others, body)) : await body();
}

describe('a second run on the same service', () => {
  it('waits before it changes anything, says for whom, and goes on when the first is through', async ({ expect }) => {
    const [one, two] = sharing(2) as [World, World];
    const deploying = held(one, 'deployService');
    await withBoth([one, two], async () => {
      const first = await harness.start(one);
      await deploying.reached;
      const second = await harness.start(two);
      await harness.until(second, waitsFor(one));
      expect(two.state.arrangement).toBe('old only');
      const { raw } = await second.describe();
      await expect
        .poll(async () => (await second.describe()).raw.pendingActivities?.[0]?.lastFailure?.message ?? '')
        .toContain(`held by shop/production/${one.plan.ref.secret} since`);
      expect(raw.pendingActivities).toHaveLength(1);
      deploying.let();
      expect(((await first.result()) as RotationReport).outcome).toBe('completed');
      const report = (await second.result()) as RotationReport;
      expect(report.outcome).toBe('completed');
      const waited = report.steps.find(({ name }) => name.startsWith('Wait for web, jobs'));
      expect(waited?.evidence?.summary).toContain(`it was held by shop/production/${one.plan.ref.secret}`);
    });
    expect(await isHeld(one)).toBe(false);
  });

  it('is not kept waiting by one that watches, waits for time or for people', async ({ expect }) => {
    const [one] = sharing(1, fullPlan) as [World];
    const watching = held(one, 'watchMonitors');
    await harness.withWorker(one, async () => {
      const first = await harness.start(one);
      await watching.reached;
      await expect.poll(() => isHeld(one)).toBe(false);
      watching.let();
      await harness.until(first, ({ wait }) => wait !== null);
      expect(await isHeld(one)).toBe(false);
      expect((await accompany(harness, first)).outcome).toBe('completed');
      const { events } = await first.fetchHistory();
      expect(events?.length, 'a history stays short').toBeLessThan(190);
    });
  });
});

describe('the lock of a run', () => {
  const ends: [string, (handle: WorkflowHandle) => Promise<unknown>][] = [
    ['is terminated', (handle) => handle.terminate('a test')],
    ['is cancelled', (handle) => handle.cancel()],
  ];
  it.for(ends)('that %s is free for the next one', async ([, end], { expect }) => {
    const [one, two] = sharing(2) as [World, World];
    const deploying = held(one, 'deployService');
    await withBoth([one, two], async () => {
      const first = await harness.start(one);
      await deploying.reached;
      const second = await harness.start(two);
      await harness.until(second, waitsFor(one));
      await end(first);
      deploying.let();
      expect(((await second.result()) as RotationReport).outcome).toBe('completed');
    });
  });

  it.for(['checkReadiness', 'arrangeSecret'])(
    'that is reset to %s is taken over by it, and free when it has ended',
    async (place, { expect }) => {
      const [one, two] = sharing(2) as [World, World];
      const deploying = held(one, 'deployService');
      await withBoth([one, two], async () => {
        const first = await harness.start(one);
        await deploying.reached;
        const again = await harness.reset(first, place);
        deploying.let();
        expect(((await again.result()) as RotationReport).outcome).toBe('completed');
        expect(((await (await harness.start(two)).result()) as RotationReport).outcome).toBe('completed');
      });
    },
  );

  it('that is ended by somebody stops it before its next effect; its undo takes the lock anew', async ({ expect }) => {
    const [one] = sharing(1) as [World];
    const deploying = held(one, 'deployService');
    await harness.withWorker(one, async () => {
      const first = await harness.start(one);
      await deploying.reached;
      await harness.client.workflow.getHandle(lockIdOf(one.things[0] ?? '')).terminate('somebody thought it hung');
      // The run is told of that by an event of its own, which may come after the deploy's answer.
      const isTold = async (): Promise<boolean> =>
        ((await first.fetchHistory()).events ?? []).some(
          (event) => event.childWorkflowExecutionTerminatedEventAttributes,
        );
      await expect.poll(isTold).toBe(true);
      deploying.let();
      const failure = await failureOf(first.result());
      expect(failure.message).toContain('ended while this run held it');
      expect(failure.message).toContain('everything is as it was before');
    });
    expect(one.state).toMatchObject({ old: 'v1', pending: null, running: { web: 'old only', jobs: 'old only' } });
    expect(
      one.calls.filter((call) => call === 'deployService'),
      'one forward, two back',
    ).toHaveLength(3);
  });

  it('on several things is had on all of them or on none', async ({ expect }) => {
    const [a, b, c] = [1, 2, 3].map((n) => `host:/srv/${n}-${randomUUID()}`) as [string, string, string];
    const [one, two, three] = [
      sharing(1, planOf, [b]),
      sharing(1, planOf, [a, b]),
      sharing(1, planOf, [a, c]),
    ].flat() as [World, World, World];
    const deploying = held(one, 'deployService');
    await withBoth([one, two, three], async () => {
      const first = await harness.start(one);
      await deploying.reached;
      const second = await harness.start(two);
      await harness.until(second, waitsFor(one));
      // It holds nothing of what it cannot have whole.
      expect(((await (await harness.start(three)).result()) as RotationReport).outcome).toBe('completed');
      deploying.let();
      await Promise.all([first.result(), second.result()]);
    });
  });
});

it('who comes when it is free does not come before one that waits', async ({ expect }) => {
  const worlds = sharing(3) as [World, World, World];
  const [holder, waiting, newcomer] = worlds;
  const order: string[] = [];
  for (const [name, world] of Object.entries({ waiting, newcomer }))
    world.faults.push({ activity: 'deployService', call: 1, when: 'before', act: () => void order.push(name) });
  const [deploying, staging] = [held(holder, 'deployService'), held(newcomer, 'stageSecret')];
  await withBoth(worlds, async () => {
    const first = await harness.start(holder);
    await deploying.reached;
    const second = await harness.start(waiting);
    await harness.until(second, waitsFor(holder));
    const third = await harness.start(newcomer);
    await staging.reached;
    deploying.let();
    await expect.poll(() => isHeld(holder), { interval: 5 }).toBe(false);
    staging.let();
    await Promise.all([first, second, third].map((run) => run.result()));
  });
  expect(order).toEqual(['waiting', 'newcomer']);
});

it('a leak comes before an undo, an undo before routine, and of two the older', async ({ expect }) => {
  const worlds = sharing(5, fullPlan) as [World, World, World, World, World];
  const [holder, undoing, older, younger, leak] = worlds;
  const order: string[] = [];
  for (const [name, world] of Object.entries({ undoing, older, younger, leak }))
    world.faults.push({
      activity: 'deployService',
      when: 'before',
      act: () => {
        if (!order.includes(name)) order.push(name);
      },
    });
  const watching = held(undoing, 'watchMonitors');
  undoing.faults.push({ activity: 'watchMonitors', when: 'after', act: failWith('none', 'rose by 6') });
  const deploying = held(holder, 'deployService');
  await withBoth(worlds, async () => {
    const back = await harness.start(undoing);
    await watching.reached;
    order.length = 0;
    await harness.start(holder);
    await deploying.reached;
    const routine = await harness.start(older);
    await harness.until(routine, waitsFor(holder));
    const routineToo = await harness.start(younger);
    await harness.until(routineToo, waitsFor(holder));
    watching.let();
    await harness.until(back, waitsFor(holder));
    const first = await harness.start(leak, { reason: 'leak' });
    await harness.until(first, waitsFor(holder));
    deploying.let();
    await expect.poll(() => order.length, { timeout: 60_000 }).toBe(4);
    for (const handle of [back, routine, routineToo, first]) await handle.terminate('seen').catch(() => undefined);
  });
  expect(order).toEqual(['leak', 'undoing', 'older', 'younger']);
});

it('costs a run of three deploys two holds: some thirty events for one service', async ({ expect }) => {
  const counted: number[] = [];
  for (const things of [[], [`host:/srv/${randomUUID()}`]]) {
    const world = Object.assign(worldOf(fullPlan, plainly), { things });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await accompany(harness, handle);
      counted.push((await handle.fetchHistory()).events?.length ?? 0);
    });
  }
  const [without = 0, locked = 0] = counted;
  expect(locked - without).toBeLessThan(45);
});
