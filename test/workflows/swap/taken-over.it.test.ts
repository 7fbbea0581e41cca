/**
 * A run that goes on from a terminated one, and does not get to its end either: the services keep a credential that is let in,
 * and nothing that is in use is removed. And runs that were reset, or meet another strategy.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Held } from '../support/faults.js';
import { asBefore, differences, pictureOf } from './support/picture.js';
import { endOf } from '../support/end-of.js';
import { KEEPS, OBSERVES } from './support/scenarios.js';
import { PATIENCE_MS, Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

async function within(given: Given, body: (system: System) => Promise<void>): Promise<void> {
  const system = await stage.system(given);
  try {
    await body(system);
  } finally {
    await stage.remove(system);
  }
}

/** How many calls of an activity have come to their end. */
async function answered(handle: WorkflowHandle, activity: string): Promise<number> {
  const events = (await handle.fetchHistory()).events ?? [];
  const calls = events.filter(
    ({ activityTaskScheduledEventAttributes: call }) => call?.activityType?.name === activity,
  );
  const ends = events.map((event) => event.activityTaskCompletedEventAttributes?.scheduledEventId);
  return calls.filter(({ eventId }) => ends.some((end) => eventId && end?.equals(eventId))).length;
}

const waitsIn = (handle: WorkflowHandle, phase: string) =>
  stage.until(handle, (status) => status.wait !== null && status.phase.startsWith(phase));

/** The role that its steps speak of. */
async function rolesNamed(handle: WorkflowHandle): Promise<string[]> {
  const { steps } = await stage.until(handle, () => true);
  return steps.flatMap(({ name }) => /^(?:Create|Prove) the role (\S+)$/.exec(name)?.[1] ?? []);
}

describe.concurrent('taken over, and then said no to', () => {
  it.each(sampled(['copy', 'group'] as const, 1))('%s, at promote: the services are back on the old role', (strategy) =>
    within({ strategy, gates: ['promote'], delay: '10m' }, async (system) => {
      const before = await pictureOf(system.place);
      const first = await stage.start(system);
      await stage.approve(first, 'promote');
      await waitsIn(first, KEEPS);
      const made = await rolesNamed(first);
      await first.terminate();
      const second = await stage.start(system);
      await stage.until(second, ({ gate }) => gate?.name === 'promote');
      // The role of its own plan will never be.
      expect(await rolesNamed(second)).toEqual(made);
      await stage.reject(second, 'promote');
      expect(await endOf(second)).toBe('rejected');
      const after = await pictureOf(system.place);
      expect(differences(asBefore(before, after), after)).toEqual([]);
    }),
  );

  it('at the drop, with the old role shut out by the first: it is let in before the services are put back', () =>
    within({ strategy: 'copy', gates: ['drop'], delay: '1s', observe: '10m' }, async (system) => {
      const before = await pictureOf(system.place);
      const first = await stage.start(system);
      await stage.approve(first, 'drop');
      await waitsIn(first, OBSERVES);
      await first.terminate();
      const second = await stage.start(system);
      await stage.reject(second, 'drop');
      expect(await endOf(second)).toBe('rejected');
      const after = await pictureOf(system.place);
      expect(differences(asBefore(before, after), after)).toEqual([]);
    }));

  it.each(sampled(['copy', 'group'] as const, 1))(
    '%s, with the old role dropped by the first: what is left is finished',
    (strategy) =>
      within({ strategy, gates: ['drop'], delay: '1s' }, async (system) => {
        const held = new Held();
        system.faults.set('proveOldLoginRefused 1', held.fault);
        const first = await stage.start(system);
        await stage.approve(first, 'drop');
        await held.reached;
        await first.terminate();
        held.release();
        system.faults.clear();
        const second = await stage.start(system);
        if (strategy === 'group') await stage.approve(second, 'drop');
        expect(await endOf(second)).toBe('completed');
        expect(Object.values((await pictureOf(system.place)).logins)).toContain('in');
      }),
  );
});

describe.concurrent('in another way than it was begun', () => {
  it.each(
    sampled(
      [
        ['copy', 'group'],
        ['copy', 'same-role'],
        ['same-role', 'copy'],
      ] as const,
      1,
    ),
  )('%s, then %s: refused before anything is changed; in the first way it is finished', (begun, then) =>
    within({ strategy: begun, gates: [], delay: '10m' }, async (system) => {
      const held = new Held();
      if (begun === 'same-role') system.faults.set('terminateOldSessions 1', held.fault);
      const first = await stage.start(system);
      await (begun === 'same-role' ? held.reached : waitsIn(first, KEEPS));
      await first.terminate();
      held.release();
      system.faults.clear();
      const before = await pictureOf(system.place);
      const rewrite = (strategy: Given['strategy']): Promise<void> => {
        Object.assign(system, { given: { ...system.given, strategy, delay: '1s' } });
        return system.describe();
      };
      await rewrite(then);
      const second = await endOf(await stage.start(system));
      expect(second).toContain('earlier run');
      expect(differences(before, await pictureOf(system.place))).toEqual([]);
      await rewrite(begun);
      expect(await endOf(await stage.start(system))).toBe('completed');
    }),
  );
});

it('a completed run that is reset to its first gate does not lay hands on the role in use', () =>
  within({ strategy: 'copy', gates: ['wave'], delay: '1s' }, async (system) => {
    const handle = await stage.start(system);
    await stage.approve(handle, 'wave');
    expect(await endOf(handle)).toBe('completed');
    const before = await pictureOf(system.place);
    const again = await stage.reset(handle, 'checkReadiness');
    await stage.approve(again, 'wave');
    expect(await endOf(again)).toContain('the role that this run has made');
    expect(differences(before, await pictureOf(system.place))).toEqual([]);
  }));

describe.concurrent(
  'stopped on its way back, with the old credential in the store, and the next run said no to:',
  () => {
    it.each(
      sampled(
        [
          ['copy', 'before its services were deployed', 'deployService 2'],
          ['same-role', 'before the server had the old password again', 'changePassword 2'],
        ] as const,
        1,
      ),
    )('%s, %s: the services work with the old credential', (strategy, _, stops) =>
      within({ strategy, gates: ['promote'], delay: '10m' }, async (system) => {
        const before = await pictureOf(system.place);
        for (const call of ['runChecks 1', stops]) {
          system.faults.set(call, () => {
            throw ApplicationFailure.nonRetryable('failed for good', 'test-failure');
          });
        }
        const first = await stage.start(system);
        await stage.approve(first, 'promote');
        expect(await endOf(first)).toMatch(/^stopped/);
        const next = await stage.start(system);
        await stage.reject(next, 'promote');
        expect(await endOf(next)).toBe('rejected');
        const after = await pictureOf(system.place);
        expect(differences(asBefore(before, after), after)).toEqual([]);
      }),
    );
  },
);

describe.concurrent('reset to where it had made its role,', () => {
  it.each(sampled(['copy', 'same-role'] as const, 1))(
    '%s, and then refused: it undoes nothing, a no to the next run does',
    (strategy) =>
      within({ strategy, gates: ['promote', 'drop'], delay: '10m' }, async (system) => {
        const before = await pictureOf(system.place);
        const first = await stage.start(system);
        await stage.approve(first, 'promote');
        if (strategy === 'copy') await waitsIn(first, KEEPS);
        else await stage.until(first, ({ gate }) => gate?.name === 'drop');
        const switched = await pictureOf(system.place);
        const again = await stage.reset(first, strategy === 'copy' ? 'createRole' : 'stageCredential');
        await stage.reject(again, 'promote');
        expect(await endOf(again)).toMatch(/^stopped.*this run was reset and has undone nothing/);
        expect(differences(switched, await pictureOf(system.place))).toEqual([]);
        const next = await stage.start(system);
        await stage.reject(next, 'promote');
        expect(await endOf(next)).toBe('rejected');
        const after = await pictureOf(system.place);
        expect(differences(asBefore(before, after), after)).toEqual([]);
      }),
  );

  it('what was sent to steer it before does not steer it again', (context) =>
    within({ strategy: 'copy', delay: '10m' }, async (system) => {
      const first = await stage.start(system);
      await waitsIn(first, KEEPS);
      await context.expect.poll(() => answered(first, 'awaitAdoption'), { timeout: PATIENCE_MS }).toBeGreaterThan(0);
      await stage.steer(first, 'signal', 'abort');
      expect(await endOf(first)).toBe('aborted');
      const again = await stage.reset(first, 'awaitAdoption');
      const { refusals } = await stage.until(again, (status) => status.refusals.length > 0);
      expect(refusals[0]).toMatch(/^abort by .* refused: it came together with a reset/);
      await waitsIn(again, KEEPS);
      await again.terminate();
    }));

  it('once it had ended: it says that nothing is there to go on with, and the services keep the role that they have', () =>
    within({ strategy: 'copy', gates: ['promote'], delay: '1s' }, async (system) => {
      const first = await stage.start(system);
      await stage.approve(first, 'promote');
      expect(await endOf(first)).toBe('completed');
      const before = await pictureOf(system.place);
      expect(await endOf(await stage.reset(first, 'createRole'))).toMatch(
        /^stopped.*has no new credential in the store/,
      );
      expect(differences(before, await pictureOf(system.place))).toEqual([]);
    }));
});
