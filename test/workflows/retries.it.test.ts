/** Attempts that fail and are made again are no silence; and what ended a run is called by its name. */
import { ApplicationFailure } from '@temporalio/activity';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { ATTEMPT_FAILED } from '../../src/domain/attempts.js';
import type { RotationReport } from '../../src/domain/report.js';
import { BEN, failureOf, worldOf } from './support/driving.js';
import { openHarness, type Harness } from './support/harness.js';
import { planOf } from './support/plan.js';
import { failWith, type World } from './support/world.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

function refused(): never {
  throw ApplicationFailure.create({ type: 'deploy-failed', message: 'the image cannot be pulled' });
}

/** Its first deploy fails for good, and from then on each deploy that takes it back, until `mended`. */
function worldThatCannotGoBack(): World & { mended: boolean } {
  const world = Object.assign(worldOf(planOf), { mended: false });
  world.faults.push({
    activity: 'deployService',
    call: 1,
    when: 'before',
    act: failWith('applied', 'web is not healthy'),
  });
  world.faults.push({
    activity: 'deployService',
    when: 'before',
    act: () => {
      if (!world.mended) refused();
    },
  });
  return world;
}

const isAsked = ({ steering }: { steering: readonly string[] }) => steering.includes('tryAgain');

describe.concurrent('an undo that fails three times', () => {
  it('is asked about with its reason, and tried again when somebody says so', async ({ expect }) => {
    const world = worldThatCannotGoBack();
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      const { wait, steering, phase } = await harness.until(handle, isAsked);
      expect(wait?.what).toContain('Undoing "Switch to the new value" fails: the image cannot be pulled');
      expect(steering).toEqual(['tryAgain', 'goOnWithout', 'stopHere']);
      expect(phase).toBe('waiting');
      world.mended = true;
      await handle.executeUpdate('tryAgain', { args: [BEN] });
      expect((await failureOf(handle.result())).message).toContain('everything is as it was before');
    });
    expect(world.state).toMatchObject({ old: 'v1', pending: null, running: { web: 'old only', jobs: 'old only' } });
    expect(world.state.ledger[0]?.notes).toContain('ben@example.test (looked at the plan) had the undo tried again');
  });

  it('is tried again by itself while nobody answers', async ({ expect }) => {
    const world = worldThatCannotGoBack();
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, isAsked);
      world.mended = true;
      await harness.fastForward(handle, 20).catch((error: unknown) => {
        if (!String(error).includes('the execution ended')) throw error;
      });
      expect((await failureOf(handle.result())).message).toContain('everything is as it was before');
    });
  });

  it('can be gone on without, which the record says', async ({ expect }) => {
    const world = worldThatCannotGoBack();
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, isAsked);
      await handle.signal('goOnWithout', BEN);
      const failure = await failureOf(handle.result());
      const [report] = failure.details as [RotationReport];
      expect(report.outcome).toBe('stopped');
      expect(report.todo.join()).toContain('"Switch to the new value" is not undone, as ben@example.test');
    });
    expect(world.state.pending, 'the rest is undone').toBe(null);
  });

  it('can be stopped at', async ({ expect }) => {
    const world = worldThatCannotGoBack();
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, isAsked);
      await handle.executeUpdate('stopHere', { args: [BEN] });
      const failure = await failureOf(handle.result());
      expect(failure.message).toContain('and 1 earlier step(s) are not undone either');
    });
  });
});

it.concurrent(
  'a run that is told of a failed attempt shows it until the step has ended; nonsense it ignores',
  async ({ expect }) => {
    const world = worldOf(planOf);
    world.faults.push({
      activity: 'deployService',
      call: 1,
      when: 'before',
      act: (attempt) => {
        if (attempt < 3) refused();
      },
    });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, ({ steps }) =>
        steps.some(({ name, state }) => name.startsWith('Switch') && state === 'running'),
      );
      for (const nonsense of [undefined, 'x', { attempt: 'x', error: 1 }, { attempt: 2 ** 60, error: 'x' }])
        await handle.signal(ATTEMPT_FAILED, nonsense);
      expect((await harness.status(handle)).trouble).toBe(null);
      await handle.signal(ATTEMPT_FAILED, { attempt: 2, error: `the disk is full ${'x'.repeat(900)}\n- forged` });
      const { trouble } = await harness.until(handle, (status) => status.trouble !== null);
      expect(trouble).toContain('attempt 2 failed: the disk is full');
      expect(trouble).not.toContain('forged');
      await handle.result();
      expect((await harness.status(handle)).trouble).toBe(null);
    });
  },
);

it.concurrent(
  'cancelled while the worker of a step was lost, a run is recorded as cancelled, and the step as not known',
  async ({ expect }) => {
    const world = worldOf(planOf);
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      world.faults.push({
        activity: 'deployService',
        call: 1,
        when: 'after',
        // No heartbeat, and no answer in the 15 s in which one is due: by then the run has ended.
        act: async () => {
          await handle.cancel();
          await handle.result().catch(() => undefined);
        },
      });
      await handle.result().catch(() => undefined);
      expect((await handle.describe()).status.name).toBe('CANCELLED');
    });
    expect(world.state).toMatchObject({ old: 'v1', pending: null, ledger: [{ outcome: 'cancelled' }] });
    expect(JSON.stringify(world.state.ledger[0]?.evidence)).toContain('it may have been done or not');
  },
);
