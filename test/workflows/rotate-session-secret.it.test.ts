import { randomUUID } from 'node:crypto';
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannedEncryption } from '../../src/domain/plan.js';
import type { RotationReport } from '../../src/domain/report.js';
import type { RolloutReport } from '../../src/domain/status.js';
import type { IfCancelled } from '../../src/domain/cancelling.js';
import { CANCELLED_BY } from '../../src/domain/messages.js';
import { rotationWorkflowId } from '../../src/domain/refs.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';
import { accompany, BEN, DAY_AND_SKEW_SECONDS, failureOf, tolerateEnd, worldOf } from './support/driving.js';
import { openHarness, type Harness } from './support/harness.js';
import { phasesOf } from './support/phases.js';
import { fullPlan, planOf, tokenProof } from './support/plan.js';
import { failWith, loseFirstAnswer, untilCancelled, type ActivityName } from './support/world.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

describe.concurrent('an undisturbed rotation', () => {
  it('replaces the value, deploys every service and records one row', async () => {
    const world = worldOf(planOf);
    await harness.withWorker(world, async () => {
      const report = (await (await harness.start(world)).result()) as RotationReport;
      expect(report).toMatchObject({ outcome: 'completed', todo: [], ledgerSequence: 1 });
      expect(report.steps.map((step) => step.state)).toEqual(report.steps.map(() => 'done'));
    });
    expect(world.state).toMatchObject({
      old: 'v2',
      pending: null,
      previous: null,
      running: { web: 'new only', jobs: 'new only' },
    });
  });

  it('that nobody is asked about is listed as changing once its value goes into use', async () => {
    const world = worldOf(planOf);
    const phases = await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await handle.result();
      return await phasesOf(handle);
    });
    expect(phases).toEqual([
      expect.stringMatching(/^preparing: .*stageSecret$/),
      expect.stringMatching(/^changing: .*arrangeSecret, /),
      expect.stringMatching(/^proving: /),
      expect.stringMatching(/^completed: /),
    ]);
  });

  it('with overlap deploys three times, waits out the token lifetime, and stays under 150 events', async () => {
    const world = worldOf(fullPlan);
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      const report = await accompany(harness, handle);
      expect(report.outcome).toBe('completed');
      const waited = report.steps.find((step) => step.name.startsWith('Wait until'));
      expect(waited?.seconds).toBeGreaterThanOrEqual(DAY_AND_SKEW_SECONDS - 60);
      const { events } = await handle.fetchHistory();
      expect(events?.length).toBeLessThan(150);
    });
    expect(world.calls.filter((call) => call.startsWith('arrange'))).toEqual([
      'arrangeSecret old, accept new',
      'arrangeSecret new, accept old',
      'arrangeSecret new only',
    ]);
    expect(world.calls.filter((call) => call === 'deployService')).toHaveLength(6);
  });
});

describe.concurrent('an application that signs with the wrong one of two values', () => {
  it('is found out before the overlap begins to count, and everything is undone', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}), proof: tokenProof });
    const act = failWith('none', 'sign-in 1 of 3 was given something signed with the old value');
    world.faults.push({ activity: 'seeWhoSigns', when: 'before', act });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.type).toBe('rolled-back');
      expect(failure.message).toContain('signed with the old value; everything is as it was before');
    });
    expect(world.calls).not.toContain('revokeSessions');
    expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null, sessions: 7 });
    expect(world.state.running).toEqual({ web: 'old only', jobs: 'old only' });
  });

  it.each(['no proof', 'a proof that presents the value itself'])(
    'is not found out where nothing that signs in is declared (%s): "not proven" stands in checklist, report and ledger',
    async (which) => {
      const proof = which === 'no proof' ? null : fullPlan('S', 'q').proof;
      const world = worldOf(fullPlan, { approval: approvalSpec.parse({}), proof, kind: 'session' });
      await harness.withWorker(world, async () => {
        const report = await accompany(harness, await harness.start(world));
        const words = /^not proven: no proof that signs in is declared, so nobody sees/;
        expect(report.steps).toContainEqual(
          expect.objectContaining({
            name: 'Which value the application signs with: not proven',
            evidence: { summary: expect.stringMatching(words) as string },
          }),
        );
      });
      expect(world.calls).not.toContain('seeWhoSigns');
      expect(world.state.ledger[0]?.notes).toContain('with which value it signs: not proven: no proof that signs in');
    },
  );

  it('is not looked for without an overlap, or where nothing is signed', async () => {
    for (const world of [
      worldOf(planOf, { proof: tokenProof }),
      worldOf(fullPlan, { approval: approvalSpec.parse({}), kind: 'token' }),
    ])
      await harness.withWorker(world, async () => {
        expect((await accompany(harness, await harness.start(world))).outcome).toBe('completed');
        expect(world.calls).not.toContain('seeWhoSigns');
      });
  });
});

describe.concurrent('a failure before the point of no return', () => {
  const places: [ActivityName, number][] = [
    ['stageSecret', 1],
    ['arrangeSecret', 1],
    ['deployService', 1],
    ['deployService', 2],
    ['arrangeSecret', 2],
    ['deployService', 4],
    ['revokeSessions', 1],
    ['runChecks', 1],
    ['watchMonitors', 1],
  ];
  it.each(places)('in %s (call %i) puts the old value back, redeploys, and says so', async (activity, call) => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    world.faults.push({ activity, call, when: 'after', act: failWith('unknown') });
    await harness.withWorker(world, async () => {
      const failure = await failureOf(accompany(harness, await harness.start(world)));
      expect(failure.type).toBe('rolled-back');
      expect(failure.message).toContain('the world said no; everything is as it was before');
      const ended = world.calls.includes('revokeSessions');
      // Where the answer to that step is what failed, nobody knows.
      const unknown = activity === 'revokeSessions';
      expect(failure.message.includes('the sessions that were ended stay ended')).toBe(ended && !unknown);
      expect(failure.message.includes('sessions may have been ended')).toBe(unknown);
    });
    expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null, arrangement: 'old only' });
    expect(world.state.running).toEqual({ web: 'old only', jobs: 'old only' });
    expect(world.state.ledger).toMatchObject([{ outcome: 'rolled back' }]);
  });

  it.each([
    ['nobody was signed in', []],
    ['they could not be ended', [{ activity: 'revokeSessions', when: 'before', act: failWith('none') }]],
  ] as const)('says nothing of ended sessions where %s', async (_, faults) => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    world.state.sessions = 0;
    world.faults.push(...faults, { activity: 'runChecks', when: 'after', act: failWith('none') });
    await harness.withWorker(world, async () => {
      const failure = await failureOf(accompany(harness, await harness.start(world)));
      expect(failure.message).toMatch(/the world said no; everything is as it was before$/);
    });
    expect(world.calls).toContain('revokeSessions');
  });

  it('keeps what failed and what it last said on the undone step, in the failure and in the ledger’s notes', async () => {
    const world = worldOf(planOf);
    const said = 'web: exited (1)\nline 1\nline 2';
    const act = failWith('applied', 'web is not healthy', said);
    world.faults.push({ activity: 'deployService', call: 1, when: 'after', act });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.message).toBe(
        '"Switch to the new value" failed: web is not healthy; everything is as it was before',
      );
      const [report] = failure.details as [RotationReport];
      expect(report.steps.find(({ name }) => name === 'Switch to the new value')).toMatchObject({
        state: 'undone',
        error: 'web is not healthy',
        diagnosis: said,
        evidence: { summary: 'the old value serves again; deployed; deployed' },
      });
      // Nothing is still to come in a run that has ended.
      expect(report.steps.filter(({ state }) => state === 'to come')).toEqual([]);
    });
    expect(world.state.ledger[0]?.notes).toContain('Switch to the new value: web is not healthy');
  });

  it('refused by the readiness check changes and records nothing', async () => {
    const world = worldOf(fullPlan);
    world.faults.push({ activity: 'checkReadiness', when: 'before', act: failWith('none', 'web is down') });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      const failure = await failureOf(handle.result());
      expect(failure.message).toBe('"Check that everything is ready" failed: web is down; nothing was changed');
      // The outcome stays what exit codes go by; people are told that nothing was begun.
      expect(failure.details?.[0]).toMatchObject({ outcome: 'rolled back', notBegun: true });
      expect((await harness.status(handle)).phase).toBe('not begun');
    });
    expect(world.calls).toEqual(['resolvePlan', 'checkReadiness']);
    expect(world.state.ledger).toEqual([]);
  });

  it('does not deploy when the store refused before writing anything', async () => {
    const world = worldOf(planOf);
    world.faults.push({
      activity: 'arrangeSecret',
      call: 1,
      when: 'before',
      act: failWith('none', 'edited meanwhile'),
    });
    await harness.withWorker(world, async () => {
      await failureOf((await harness.start(world)).result());
    });
    expect(world.calls).not.toContain('deployService');
    expect(world.state).toMatchObject({ old: 'v1', pending: null });
  });

  it('puts the old value back when only the last attempt had changed nothing', async () => {
    const world = worldOf(planOf);
    world.faults.push({ activity: 'arrangeSecret', call: 1, when: 'after', act: loseFirstAnswer });
    const full = failWith('none', 'no space left on the device');
    const act = (attempt: number): void => {
      if (attempt > 1) full();
    };
    world.faults.push({ activity: 'arrangeSecret', call: 1, when: 'before', act });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.message).toContain('no space left on the device; everything is as it was before');
    });
    expect(world.calls).toContain('arrangeSecret old only');
    expect(world.calls.filter((call) => call === 'deployService')).toHaveLength(2);
    expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null, arrangement: 'old only' });
  });

  it('leaves a person’s own edit alone, which the store refuses to overwrite forward and back', async () => {
    const world = worldOf(planOf);
    const act = failWith('none', 'somebody changed it', null, 'changed-meanwhile');
    world.faults.push({ activity: 'arrangeSecret', when: 'before', act });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.type).toBe('rolled-back');
      const [report] = failure.details as [RotationReport];
      expect(report.steps.find(({ name }) => name === 'Switch to the new value')?.evidence?.summary).toBe(
        "the store shows somebody's own edit: left alone",
      );
    });
    expect(world.calls).not.toContain('deployService');
    expect(world.state.pending).toBeNull();
  });

  it('does not take a store that cannot be written for one that was not changed', async () => {
    const world = worldOf(planOf);
    world.faults.push({ activity: 'arrangeSecret', when: 'before', act: failWith('none', 'the disk is gone') });
    await harness.withWorker(world, async () => {
      expect((await failureOf((await harness.start(world)).result())).type).toBe('stopped');
    });
  });

  it('whose undo fails too ends stopped, with what a person must do', async () => {
    const world = worldOf(planOf);
    const act = failWith('none', 'still unhealthy', 'web: exited (1)');
    world.faults.push({ activity: 'deployService', when: 'before', act });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.type).toBe('stopped');
      const [report] = failure.details as [RotationReport];
      expect(report.todo.join()).toMatch(
        /undoing "Switch to the new value" failed: still unhealthy, and 1 earlier step/,
      );
      const why = { state: 'failed', error: 'still unhealthy', diagnosis: 'web: exited (1)' };
      const failed = report.steps.filter((step) => step.state === 'failed');
      expect(failed).toMatchObject([
        { name: 'Switch to the new value', ...why },
        { name: 'Undo: Switch to the new value', ...why },
      ]);
    });
    expect(world.state.ledger).toMatchObject([{ outcome: 'stopped' }]);
    expect(world.state.pending, 'the value is kept while services may still run on it').toBe('v2');
  });
});

describe.concurrent('after the point of no return', () => {
  it('a proof that fails stops the run and keeps the old value for a person to look at', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    world.faults.push({
      activity: 'proveOldRefused',
      when: 'before',
      act: failWith('none', 'instance 2 still accepts it'),
    });
    await harness.withWorker(world, async () => {
      const failure = await failureOf(accompany(harness, await harness.start(world)));
      expect(failure.type).toBe('stopped');
      expect(failure.message).toContain('instance 2 still accepts it');
    });
    expect(world.state).toMatchObject({ old: 'v2', previous: 'v1', arrangement: 'new only' });
    expect(world.state.ledger).toMatchObject([{ proof: { proven: false, because: 'instance 2 still accepts it' } }]);
  });

  it('a cancellation no longer stops it', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      let told: unknown;
      let asked: unknown;
      const act = async (): Promise<void> => {
        told = (await harness.status(handle)).ifCancelled;
        await handle.signal(CANCELLED_BY, BEN);
        await handle.cancel();
        asked = (await harness.until(handle, ({ cancellation }) => cancellation !== null)).cancellation;
      };
      world.faults.push({ activity: 'proveOldRefused', when: 'before', act });
      expect((await accompany(harness, handle)).outcome).toBe('completed');
      const why = 'it is past the point of no return, and only goes forward';
      expect(told).toEqual({ comes: 'too late', why });
      expect(asked).toMatchObject({ by: 'ben@example.test (looked at the plan)', tooLate: why });
    });
    // Nor is it said to have been.
    expect(world.state.ledger[0]?.notes).not.toContain('cancelled');
  });

  it('begins with the change itself where others may have the value', async () => {
    const world = worldOf(planOf, { proof: tokenProof });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world, { reason: 'leak' });
      const told: unknown[] = [];
      const act = async (): Promise<void> => void told.push((await harness.status(handle)).ifCancelled.comes);
      for (const activity of ['stageSecret', 'arrangeSecret'] as const)
        world.faults.push({ activity, call: 1, when: 'before', act });
      expect((await accompany(harness, handle)).outcome).toBe('completed');
      expect(told).toEqual(['undone', 'too late']);
    });
  });
});

describe.concurrent('whether the old value is dead', () => {
  const NOTHING = { proven: false, because: 'the inventory declares no proof' };

  it('stands in the report and the ledger as it was seen', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    await harness.withWorker(world, async () => {
      const report = await accompany(harness, await harness.start(world));
      expect(report.proof).toEqual({ proven: true, because: 'refused' });
    });
    expect(world.state.ledger).toMatchObject([{ proof: { proven: true } }]);
  });

  it('is "not proven" where no proof is declared: a routine run completes with these words', async () => {
    const world = worldOf(planOf);
    await harness.withWorker(world, async () => {
      const report = (await (await harness.start(world)).result()) as RotationReport;
      expect(report).toMatchObject({ outcome: 'completed', proof: NOTHING });
    });
    expect(world.state.ledger).toMatchObject([{ outcome: 'completed', proof: NOTHING }]);
  });

  it.each(['leak', 'suspicion'] as const)(
    'and unproven is taken on by a person after a %s, by name',
    async (reason) => {
      const world = worldOf(planOf);
      await harness.withWorker(world, async () => {
        const handle = await harness.start(world, { reason });
        const { gate } = await harness.until(handle, (status) => status.gate !== null);
        expect(gate).toMatchObject({ name: 'unproven', onExpiry: 'deny' });
        expect(gate?.question).toContain('is dead (the inventory declares no proof)');
        await handle.executeUpdate('approve', { args: [BEN] });
        expect((await handle.result()) as RotationReport).toMatchObject({ outcome: 'completed', proof: NOTHING });
      });
      expect(world.state).toMatchObject({ previous: null, ledger: [{ outcome: 'completed', proof: NOTHING }] });
      expect(world.state.ledger[0]?.notes).toContain('unproven: approved by ben@example.test');
    },
  );

  it('after a leak and a no ends stopped, the old value kept for a person to look at', async () => {
    const world = worldOf(planOf);
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world, { reason: 'leak' });
      const { gate } = await harness.until(handle, (status) => status.gate !== null);
      expect(gate?.question).toMatch(/If not, the run ends stopped: nothing is undone, the new value stays in use/);
      await handle.executeUpdate('reject', { args: [BEN] });
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('stopped');
      expect(failure.details).toMatchObject([
        {
          outcome: 'stopped',
          proof: NOTHING,
          todo: [
            'the new value is in use and nothing was undone; the leaked value may still be accepted (not proven: the inventory declares no proof): look by hand whether it is refused, or declare a proof in the inventory',
            expect.stringMatching(
              /^the old value is kept in the store's versions: start a rotation of \S+ once more, which settles this run first and destroys it$/,
            ),
            '"unproven" was rejected by ben@example.test (looked at the plan)',
          ],
        },
      ]);
    });
    expect(world.state).toMatchObject({ old: 'v2', previous: 'v1', running: { web: 'new only' } });
  });

  it('is tried with the header of a token from before the switch', async () => {
    const world = worldOf(planOf, { proof: tokenProof });
    world.headers.readiness = { alg: 'HS256', kid: 'k1' };
    await harness.withWorker(world, async () => {
      await (await harness.start(world)).result();
    });
    expect(world.headers.proof).toEqual({ alg: 'HS256', kid: 'k1' });
  });

  it('is not said of a run that was undone', async () => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    world.faults.push({ activity: 'runChecks', call: 1, when: 'before', act: failWith('none') });
    await harness.withWorker(world, async () => {
      await failureOf(accompany(harness, await harness.start(world)));
    });
    expect(world.state.ledger).toMatchObject([{ outcome: 'rolled back', proof: null }]);
  });
});

describe.concurrent('an activity that somebody completes by hand', () => {
  it.each([
    ['proveOldRefused', {}, 'stopped'],
    ['proveOldRefused', { summary: 'refused in 5 of 5 requests' }, 'stopped'],
    ['checkReadiness', {}, 'rolled-back'],
    ['deployService', {}, 'rolled-back'],
    ['runChecks', null, 'rolled-back'],
  ] as const)('%s with %j has proven and done nothing: %s', async (activity, result, end) => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}), overlap: null });
    const act = async (): Promise<never> => {
      const { workflowExecution, activityId } = Context.current().info;
      const { workflowId = '', runId = '' } = workflowExecution ?? {};
      setTimeout(() => void harness.client.activity.complete({ workflowId, runId, activityId }, result), 100);
      return Promise.reject(new CompleteAsyncError());
    };
    world.faults.push({ activity, call: 1, when: 'before', act });
    await harness.withWorker(world, async () => {
      const failure = await failureOf((await harness.start(world)).result());
      expect(failure.type).toBe(end);
      expect(failure.message).toContain(`${activity} was answered by something that is no result of it`);
      if (end === 'stopped') {
        expect(failure.details).toMatchObject([{ proof: { proven: false } }]);
        expect(world.state, 'what was not proven dead is kept').toMatchObject({ previous: 'v1' });
      } else expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null });
    });
  });
});

describe('the lock of something else', () => {
  it.each([
    ['backUpSecrets', 'rotate:shop/production/ANOTHER', 'backup:shop/production/KEYS'],
    ['rotateSessionSecret', 'rotate:shop/production/ANOTHER', 'rotate:shop/production/OWN'],
    ['rotateSessionSecret', 'backup:shop/production/KEYS', 'rotate:shop/production/OWN'],
  ])('is not taken by %s under %s', async (type, workflowId, own) => {
    const world = worldOf(planOf);
    const named = type === 'backUpSecrets' ? { backup: 'KEYS' } : { secret: 'OWN' };
    await harness.withWorker(world, async () => {
      const handle = await harness.client.workflow.start(type, {
        workflowId,
        taskQueue: world.plan.taskQueue,
        args: [{ system: 'shop', environment: 'production', operator: 'ana@example.test', ...named }],
      });
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('bad-input');
      expect(failure.message).toContain(`is the lock of something else: start this under ${own}`);
    });
    expect(world.calls).toEqual([]);
  });
});

describe.concurrent('lost answers', () => {
  const effects: ActivityName[] = [
    'stageSecret',
    'arrangeSecret',
    'deployService',
    'revokeSessions',
    'forgetPrevious',
    'recordRotation',
  ];
  it.each(effects)(
    'of %s are resolved by doing it again: the world is that of an undisturbed run',
    async (activity) => {
      const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
      world.faults.push({ activity, when: 'after', act: loseFirstAnswer });
      await harness.withWorker(world, async () => {
        expect((await accompany(harness, await harness.start(world))).outcome).toBe('completed');
      });
      expect(world.state).toMatchObject({
        old: 'v2',
        pending: null,
        previous: null,
        sessions: 0,
        running: { web: 'new only', jobs: 'new only' },
      });
      expect(world.state.ledger).toHaveLength(1);
    },
  );
});

describe.concurrent('a cancellation', () => {
  const steps: [ActivityName, number][] = [
    ['stageSecret', 1],
    ['arrangeSecret', 1],
    ['deployService', 2],
    ['arrangeSecret', 2],
    ['deployService', 3],
    ['runChecks', 1],
    ['watchMonitors', 1],
  ];
  it.each(steps)('during %s (call %i) undoes everything before the run ends as cancelled', async (activity, call) => {
    const world = worldOf(fullPlan, { approval: approvalSpec.parse({}) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      let told: IfCancelled | null = null;
      let asked: unknown;
      world.faults.push({
        activity,
        call,
        when: 'after',
        act: async () => {
          told = (await harness.status(handle)).ifCancelled;
          await handle.signal(CANCELLED_BY, BEN);
          await handle.cancel();
          asked = (await harness.until(handle, ({ cancellation }) => cancellation !== null)).cancellation;
          await untilCancelled();
        },
      });
      await expect(accompany(harness, handle)).rejects.toThrow();
      expect((await handle.describe()).status.name).toBe('CANCELLED');
      // What was told is what is undone, last first.
      const { report } = await harness.status(handle);
      const undone = report?.steps.filter(({ state }) => state === 'undone').map(({ name }) => name);
      expect(told).toMatchObject({ comes: 'undone', undoes: undone?.reverse() });
      // From the moment it was asked for, though what was under way ended first.
      expect(asked).toMatchObject({ by: 'ben@example.test (looked at the plan)', tooLate: null });
    });
    expect(world.state).toMatchObject({
      old: 'v1',
      pending: null,
      previous: null,
      running: { web: 'old only', jobs: 'old only' },
    });
    expect(world.state.ledger).toMatchObject([
      {
        outcome: 'cancelled',
        notes: expect.stringContaining('cancelled by ben@example.test (looked at the plan)') as string,
      },
    ]);
  });
});

it.concurrent(
  'while a run that was cancelled at its gate is undone, nobody is asked any more and no approval counts',
  async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.gate !== null);
      let meanwhile: unknown;
      const act = async (): Promise<void> => {
        const { gate, steps } = await harness.status(handle);
        const error = await handle.executeUpdate('approve', { args: [BEN] }).catch((reason: unknown) => reason);
        const answer = ((error as WorkflowUpdateFailedError).cause as Error).message;
        meanwhile = { gate, failed: steps.find(({ state }) => state === 'failed')?.error, answer };
      };
      world.faults.push({ activity: 'discardSecret', when: 'before', act });
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow();
      expect(meanwhile).toMatchObject({ gate: null, failed: 'cancelled' });
      expect(meanwhile).toMatchObject({ answer: expect.stringContaining('no gate is open') as string });
    });
    expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null });
    expect(world.state.ledger).toMatchObject([{ outcome: 'cancelled' }]);
  },
);

it.concurrent(
  'a cancellation that the last step before the point of no return did not heed is heeded before it',
  async () => {
    const world = worldOf(planOf);
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      world.faults.push({
        activity: 'deployService',
        call: 2,
        when: 'after',
        act: async () => {
          await handle.cancel();
          await untilCancelled().catch(() => undefined);
        },
      });
      await expect(handle.result()).rejects.toThrow();
      expect((await handle.describe()).status.name).toBe('CANCELLED');
    });
    expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null });
  },
);

it.concurrent('a key that rows are under is never simply replaced, whoever asks', async () => {
  const encryption = { mode: 'atomic', key: 'fernet', columns: [], parallel: 1 } as unknown as PlannedEncryption;
  const world = worldOf((secret, queue) => planOf(secret, queue, { kind: 'encryption', encryption }));
  await harness.withWorker(world, async () => {
    const error = await failureOf((await harness.start(world)).result());
    expect(error.message).toContain("is of kind encryption: start that kind's own runbook");
  });
  expect(world.state).toMatchObject({ old: 'v1', pending: null, previous: null });
});

describe.concurrent('gates', () => {
  const gated = {
    approval: approvalSpec.parse({
      gates: ['promote'],
      approvers: 2,
      allowed: ['ben@example.test', 'cleo@example.test', 'ana@example.test'],
    }),
  };

  it('refuse early, self-made, foreign, misnamed, repeated and late approvals, each with its reason', async () => {
    const world = worldOf(planOf, gated);
    await harness.withWorker(world, async () => {
      let release: () => void = () => undefined;
      const held = new Promise<void>((done) => (release = done));
      world.faults.push({ activity: 'stageSecret', when: 'before', act: () => held });
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.phase === 'Stage a new value');
      const refusal = async (decision: Record<string, unknown>): Promise<string> => {
        const error: unknown = await handle
          .executeUpdate('approve', { args: [decision] })
          .catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
        return ((error as WorkflowUpdateFailedError).cause as Error).message;
      };
      expect(await refusal(BEN)).toBe('nothing waits for a decision yet: no gate is open');
      release();
      const { gate } = await harness.until(handle, (status) => status.gate !== null);
      expect(await refusal({ by: 'ANA@example.test ' })).toContain('somebody else');
      expect(await refusal({ by: 'mallory@example.test' })).toContain('may not decide here');
      expect(await refusal({ ...BEN, gate: 'retire' })).toBe('the open gate is "promote", not "retire"');
      expect(await refusal({ ...BEN, plan: 'other@run' })).toContain('bound to plan other@run');
      expect(await refusal({ by: 'ben@example.test', nonsense: 1 })).toContain('It must be one JSON object');
      const first = await handle.executeUpdate('approve', { args: [{ ...BEN, plan: gate?.plan, gate: 'promote' }] });
      expect(first).toEqual({ gate: 'promote', state: 'more approvals needed', approvals: 1, needed: 2 });
      expect(await refusal(BEN)).toContain('has approved already');
      await handle.executeUpdate('approve', { args: [{ by: 'cleo@example.test' }] });
      await handle.result();
      await expect(handle.executeUpdate('approve', { args: [BEN] })).rejects.toThrow();
    });
  });

  it('take signals by the same rules, and put what they refuse on the record', async () => {
    const world = worldOf(planOf, gated);
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.gate !== null);
      await handle.signal('approve');
      await handle.signal('approve', { by: 'ana@example.test' });
      await handle.signal('aprove', BEN);
      await handle.signal('approve', BEN);
      await handle.signal('approve', { by: 'cleo@example.test' });
      const report = (await handle.result()) as RotationReport;
      expect(report.outcome).toBe('completed');
      expect(report.refusals).toHaveLength(3);
      expect(report.refusals[1]).toContain('ana@example.test refused: ana@example.test asked for this rotation');
    });
    expect(world.state.ledger).toHaveLength(1);
  });

  it('decided in one run count in no other, and after a reset only anew', async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
    await harness.withWorker(world, async () => {
      const other = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
      let release: () => void = () => undefined;
      const held = new Promise<void>((done) => (release = done));
      world.faults.push({ activity: 'arrangeSecret', call: 1, when: 'before', act: () => held });
      const handle = await harness.start(world);
      const { gate } = await harness.until(handle, (status) => status.gate !== null);
      await harness.withWorker(other, async () => {
        const second = await harness.start(other);
        const asked = await harness.until(second, (status) => status.gate !== null);
        expect(asked.gate?.plan, 'runs of one minute are told apart').not.toBe(gate?.plan);
        await second.signal('approve', { ...BEN, plan: gate?.plan });
        const { refusals } = await harness.until(second, (status) => status.refusals.length > 0);
        expect(refusals[0]).toContain(`bound to plan ${gate?.plan}`);
        await second.executeUpdate('reject', { args: [BEN] });
        await second.result();
      });

      await handle.signal('approve', BEN);
      await harness.until(handle, (status) => status.phase === 'Switch to the new value');
      const again = await harness.reset(handle, 'stageSecret');
      release();
      const open = await harness.until(again, (status) => status.gate !== null && status.refusals.length > 0);
      expect(open.refusals[0], 'the old signal, applied again').toContain('approve by ben@example.test refused');
      const unbound: unknown = await again.executeUpdate('approve', { args: [BEN] }).catch((error: unknown) => error);
      expect(((unbound as WorkflowUpdateFailedError).cause as Error).message).toContain('this run was reset');
      await again.executeUpdate('approve', { args: [{ ...BEN, plan: open.gate?.plan }] });
      expect(((await again.result()) as RotationReport).outcome).toBe('completed');
    });
    expect(world.state).toMatchObject({ old: 'v2', pending: null, previous: null });
  });

  it('rejected: the run is undone and ends as rejected, not as failed', async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.gate !== null);
      await handle.executeUpdate('reject', { args: [{ by: 'ben@example.test', note: 'not today' }] });
      const report = (await handle.result()) as RotationReport;
      expect(report.outcome).toBe('rejected');
      expect(report.steps.find((step) => step.name.startsWith('Approval'))?.error).toContain(
        'ben@example.test (not today)',
      );
    });
    expect(world.state).toMatchObject({ old: 'v1', pending: null });
  });

  it('name who rejected, and not those who had approved; notes say who approved which', async () => {
    const world = worldOf(planOf, {
      approval: approvalSpec.parse({ gates: ['promote'], approvers: 2 }),
      decisions: ['no proof is declared: that the old value is refused will not be shown'],
    });
    const approve = { by: 'ben@example.test', note: 'fine with me' };
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.gate !== null);
      await handle.executeUpdate('approve', { args: [approve] });
      await handle.executeUpdate('reject', { args: [{ by: 'cat@example.test', note: 'no' }] });
      await handle.result();
      expect(world.state.ledger[0]?.notes).toBe(
        'Approval: use the new value: "promote" was rejected by cat@example.test (no); ben@example.test (fine with me) had approved (1 of 2)',
      );

      const again = await harness.start(world);
      await harness.until(again, (status) => status.gate !== null);
      await again.executeUpdate('approve', { args: [approve] });
      await again.executeUpdate('approve', { args: [{ by: 'cat@example.test' }] });
      await again.result();
    });
    // The plan's decisions are evidence, once, and not among what people did.
    expect(world.state.ledger[1]?.notes).toBe('promote: approved by ben@example.test (fine with me), cat@example.test');
    expect(world.state.ledger[1]?.evidence[0]).toMatchObject({
      name: 'Pin the plan',
      evidence: { summary: 'no proof is declared: that the old value is refused will not be shown' },
    });
  });

  it('that the deadline approves name the deadline, and who had approved by then', async () => {
    const policy = { gates: ['promote'], approvers: 2, expiresAfter: '3s', onExpiry: 'approve' };
    const world = worldOf(planOf, { approval: approvalSpec.parse(policy) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.gate !== null);
      await handle.executeUpdate('approve', { args: [BEN] });
      expect(((await handle.result()) as RotationReport).outcome).toBe('completed');
    });
    expect(world.state.ledger[0]?.notes).toMatch(
      /^promote: approved by the deadline \S+, as the policy says: only ben@example.test \(looked at the plan\) had approved \(1 of 2\)$/,
    );
  });

  it('count one person once, however the name is typed', async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'], approvers: 2 }) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world, { operator: 'zoe\u0308@example.test' });
      await harness.until(handle, (status) => status.gate !== null);
      const refused = async (by: string): Promise<string> =>
        await handle.executeUpdate('approve', { args: [{ by }] }).then(
          () => 'counted',
          (error: unknown) => ((error as WorkflowUpdateFailedError).cause as Error).message,
        );
      expect(await refused('zo\u00eb@example.test')).toContain('somebody else');
      expect(await refused('jos\u00e9@example.test')).toBe('counted');
      expect(await refused('JOSE\u0301@example.test')).toContain('has approved already');
      await handle.executeUpdate('reject', { args: [BEN] });
      await handle.result();
    });
  });

  it('remind at 1, 2, 4, 8 h and deny at the deadline', async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      await harness.until(handle, (status) => status.gate !== null);
      await harness.fastForward(handle, 24 * 3600 + 60).catch(tolerateEnd);
      const report = (await handle.result()) as RotationReport;
      expect(report.outcome).toBe('rejected');
      expect(report.steps.find((step) => step.name.startsWith('Approval'))?.error).toMatch(
        /nobody decided "promote" by .*: denied/,
      );
    });
    expect(world.state.reminders).toBe(4);
    expect(world.state.old).toBe('v1');
  });
});

describe.concurrent('a run that cannot be recorded', () => {
  it.each([
    ['completed', 'the rotation is done, but not recorded'],
    ['rejected', '"promote" was rejected by ben@example.test (looked at the plan); everything is as it was before'],
    ['rolled back', '"Switch to the new value" failed: boom; everything is as it was before'],
    ['cancelled', 'cancelled: '],
  ])('ends stopped where it would have ended %s: what to do in the message, the report with it', async (how, said) => {
    const gated = how === 'rejected' || how === 'cancelled';
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: gated ? ['promote'] : [] }) });
    world.faults.push({ activity: 'recordRotation', when: 'before', act: failWith('none', 'ledger gone') });
    if (how === 'rolled back')
      world.faults.push({ activity: 'deployService', call: 1, when: 'before', act: failWith('unknown', 'boom') });
    await harness.withWorker(world, async () => {
      const handle = await harness.start(world);
      if (gated) await harness.until(handle, (status) => status.gate !== null);
      if (how === 'rejected') await handle.executeUpdate('reject', { args: [BEN] });
      if (how === 'cancelled') await handle.cancel();
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('stopped');
      expect(failure.message).toContain(said);
      expect(failure.message).toContain('To be done by a person: enter this rotation in the ledger');
      const [report] = failure.details as [RotationReport];
      expect(report).toMatchObject({ outcome: 'stopped', ledgerSequence: null });
      expect(report.todo).toHaveLength(1);
      expect((await handle.describe()).status.name).toBe('FAILED');
    });
    expect(world.state.old).toBe(how === 'completed' ? 'v2' : 'v1');
  });
});

describe.concurrent('one rotation a secret at a time', () => {
  it('50 simultaneous starts: one runs, 49 are told that it does', async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
    await harness.withWorker(world, async () => {
      const starts = await Promise.allSettled(Array.from({ length: 50 }, () => harness.start(world)));
      const refused = starts.filter((start) => start.status === 'rejected');
      expect(refused).toHaveLength(49);
      for (const { reason } of refused) expect(reason).toBeInstanceOf(WorkflowExecutionAlreadyStartedError);
      const winner = starts.find((start) => start.status === 'fulfilled');
      if (!winner) throw new Error('nobody won');
      await harness.until(winner.value, (status) => status.gate !== null);
      await winner.value.executeUpdate('reject', { args: [BEN] });
      await winner.value.result();
    });
  });

  it('a run under another id starts the one that holds the lock, passes signals on, and reports', async () => {
    const world = worldOf(planOf, { approval: approvalSpec.parse({ gates: ['promote'] }) });
    await harness.withWorker(world, async () => {
      const parent = await harness.client.workflow.start('rotateSessionSecret', {
        workflowId: `from-the-ui-${randomUUID()}`,
        taskQueue: world.plan.taskQueue,
        args: [{ ...world.plan.ref, operator: 'ana@example.test' }],
      });
      const child = harness.client.workflow.getHandle(rotationWorkflowId(world.plan.ref));
      await harness.until(child, (status) => status.gate !== null);

      const second = await harness.client.workflow.start('rotateSessionSecret', {
        workflowId: `from-the-ui-${randomUUID()}`,
        taskQueue: world.plan.taskQueue,
        args: [{ ...world.plan.ref, operator: 'ana@example.test' }],
      });
      const held = await failureOf(second.result());
      expect(held.type).toBe('rotation-held');
      expect(held.message).toContain('is being rotated already');
      expect(held.message).toContain('the-other-run');

      await parent.signal('approve', BEN);
      const report = (await parent.result()) as RolloutReport;
      expect(report.reports.map((one) => one.outcome)).toEqual(['completed']);
    });
  });
});

describe.concurrent('input from the UI', () => {
  it.each([
    [undefined, 'the input of a rotation'],
    [{ system: 'shop', secret: 'X', operator: 'ana@example.test', oops: 1 }, 'oops'],
    [{ system: 'shop', environment: 'production', secret: 'X', operator: 'a@b', reason: 'fun' }, 'reason'],
    ['rotate it', 'the input of a rotation'],
  ])('that is wrong (%j) fails the run at once and says what it must be', async (input, named) => {
    const world = worldOf(planOf);
    await harness.withWorker(world, async () => {
      const handle = await harness.client.workflow.start('rotateSessionSecret', {
        workflowId: `bad-${randomUUID()}`,
        taskQueue: world.plan.taskQueue,
        args: input === undefined ? [] : [input],
      });
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('bad-input');
      expect(failure.message).toContain(named);
      expect(failure.message).toContain('"operator":"ana@example.test"');
    });
    expect(world.calls).toEqual([]);
  });
});
