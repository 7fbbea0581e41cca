/** A swap that people turn back: the world is as before, also when a step of the way back is crashed before or after its effect. */
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ABORT } from '../../../src/domain/messages.js';
import { answerLost, crashedBefore } from '../support/faults.js';
import { inParallel } from '../support/in-parallel.js';
import { asBefore, differences } from './support/picture.js';
import { carriedOut, type Ended } from './support/runs.js';
import { OBSERVES } from './support/scenarios.js';
import { Stage } from './support/stage.js';
import type { Given } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

interface Late {
  readonly name: string;
  readonly given: Given;
  readonly turnBack: (handle: WorkflowHandle) => Promise<void>;
  readonly outcome: 'aborted' | 'rejected';
}

/** Turned back as late as can be, so that everything is to be undone. */
const LATE: readonly Late[] = [
  ...(['own rights', 'member of a group'] as const).map((origin) => ({
    name: `group, ${origin}`,
    given: { strategy: 'group' as const, origin, observe: '10m' },
    turnBack: abortWhileItObserves,
    outcome: 'aborted' as const,
  })),
  { name: 'copy', given: { strategy: 'copy', observe: '10m' }, turnBack: abortWhileItObserves, outcome: 'aborted' },
  {
    name: 'same-role',
    given: { strategy: 'same-role', gates: ['drop'] },
    turnBack: (handle) => stage.reject(handle, 'drop'),
    outcome: 'rejected',
  },
];

async function abortWhileItObserves(handle: WorkflowHandle): Promise<void> {
  await stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(OBSERVES));
  await stage.steer(handle, 'update', ABORT);
}

describe.each(sampled(LATE, 1))('$name, turned back as late as can be', ({ given, turnBack, outcome }) => {
  const meanwhile = (_: unknown, handle: WorkflowHandle): Promise<void> => turnBack(handle);
  let undisturbed: Ended;
  beforeAll(async () => {
    undisturbed = await carriedOut(stage, given, { meanwhile });
  });

  it('is as before, and on the record', () => {
    expect(undisturbed.outcome).toBe(outcome);
    expect(differences(asBefore(undisturbed.before, undisturbed.after), undisturbed.after)).toEqual([]);
    expect(undisturbed.ledger).toEqual([expect.stringMatching(new RegExp(`^${outcome} by new .*: undone`))]);
  });

  it.each([
    ['before its effect', crashedBefore],
    ['after its effect', answerLost],
  ])('with each step of the way back crashed %s it ends the same', async (_, fault) => {
    const { calls } = undisturbed;
    const back = calls.slice(calls.findIndex((call) => /^enableOldRole|^arrangeSecret 2/.test(call)));
    expect(back.length).toBeGreaterThan(4);
    const wrong = await inParallel(sampled(back, 1), async (call) => {
      const run = await carriedOut(stage, given, { prepare: ({ faults }) => faults.set(call, fault), meanwhile });
      if (run.outcome !== outcome) return [`${call}: ${run.outcome}`];
      return [
        ...differences(asBefore(run.before, run.after), run.after),
        ...(run.ledger.join('\n') === undisturbed.ledger.join('\n') ? [] : run.ledger),
      ].map((line) => `${call}: ${line}`);
    });
    expect(wrong.flat()).toEqual([]);
  });
});

describe('a gate that is rejected', () => {
  const places = [
    ...(['group', 'copy', 'same-role'] as const).flatMap((strategy) =>
      ['wave', 'promote', 'drop'].map((gate) => ({ strategy, gate, origin: 'own rights' as const })),
    ),
    ...['wave', 'promote', 'drop'].map((gate) => ({
      strategy: 'group' as const,
      gate,
      origin: 'member of a group' as const,
    })),
  ];
  it('leaves the world as before, whichever gate and strategy', async () => {
    const wrong = await inParallel(sampled(places, 2), async ({ strategy, gate, origin }) => {
      const run = await carriedOut(
        stage,
        { strategy, origin, gates: [gate] },
        { meanwhile: (_, handle) => stage.reject(handle, gate) },
      );
      return [
        ...(run.outcome === 'rejected' ? [] : [run.outcome]),
        ...differences(asBefore(run.before, run.after), run.after),
        ...(run.ledger.length === 1 && run.ledger[0]?.startsWith('rejected') ? [] : run.ledger),
      ].map((line) => `${strategy} (${origin}), ${gate}: ${line}`);
    });
    expect(wrong.flat()).toEqual([]);
  });
});
