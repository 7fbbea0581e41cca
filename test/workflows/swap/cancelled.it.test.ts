/** A swap cancelled at every step: before the point of no return the world is as before, after it nothing stops it any more. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelledAfter, cancelledBefore, cancelledTooLate, doneAllTheSame, type Fault } from '../support/faults.js';
import { inParallel } from '../support/in-parallel.js';
import { asBefore, differences } from './support/picture.js';
import { carriedOut, type Ended } from './support/runs.js';
import { SCENARIOS } from './support/scenarios.js';
import { Stage } from './support/stage.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

/** Nothing is recorded of a run before it was known that it can begin. */
function rowsOf(call: string, fault: unknown): number {
  return call === 'resolvePlan 1' || (call === 'checkReadiness 1' && fault !== doneAllTheSame) ? 0 : 1;
}

describe.each(sampled(SCENARIOS, 1))('$name', ({ given, forward }) => {
  let undisturbed: Ended;
  beforeAll(async () => {
    undisturbed = await carriedOut(stage, given);
  });

  it.each([
    ['while it has no effect yet', cancelledBefore],
    ['after its effect', cancelledAfter],
    ['and done all the same', doneAllTheSame],
  ] as [string, (cancel: () => Promise<unknown>) => Fault][])(
    'cancelled in each step before the point of no return, %s: the world is as before',
    async (_, fault) => {
      const { calls } = undisturbed;
      const undone = calls.slice(0, calls.indexOf(forward));
      const wrong = await inParallel(sampled(undone, 1), async (call) => {
        const run = await carriedOut(stage, given, {
          prepare: ({ faults }, handle) =>
            faults.set(
              call,
              fault(() => handle.cancel()),
            ),
        });
        return [
          ...(run.outcome === 'cancelled' ? [] : [run.outcome]),
          ...differences(asBefore(run.before, run.after), run.after),
          ...(run.ledger.length === rowsOf(call, fault) && run.ledger.every((line) => line.startsWith('cancelled'))
            ? []
            : run.ledger),
        ].map((line) => `${call}: ${line}`);
      });
      expect(wrong.flat()).toEqual([]);
    },
  );

  it('cancelled in each step from the point of no return on: it goes through all the same', async () => {
    const { calls } = undisturbed;
    const forwards = calls.slice(calls.indexOf(forward));
    const wrong = await inParallel(sampled(forwards, 1), async (call) => {
      const run = await carriedOut(stage, given, {
        prepare: ({ faults }, handle) =>
          faults.set(
            call,
            cancelledTooLate(() => handle.cancel()),
          ),
      });
      if (run.outcome !== 'completed') return [`${call}: ${run.outcome}`];
      return [
        ...differences(undisturbed.after, run.after),
        ...(run.ledger.join('\n') === undisturbed.ledger.join('\n') ? [] : run.ledger),
      ].map((line) => `${call}: ${line}`);
    });
    expect(wrong.flat()).toEqual([]);
  });
});

describe('while nothing is done', () => {
  const gates = ['wave', 'promote', 'drop'];
  it.each(sampled(['wave', 'promote', 'drop', 'Keep the old role', 'Watch for rejected log-ins'], 1))(
    'cancelled while it waits (%s): the world is as before',
    async (where) => {
      const given = { strategy: 'copy', gates, observe: '10s', delay: '10s' } as const;
      const run = await carriedOut(stage, given, {
        meanwhile: async (_, handle) => {
          await stage.accompanied(
            handle,
            ({ gate, phase, wait }) => gate?.name === where || (wait !== null && phase.startsWith(where)),
          );
          await handle.cancel();
        },
      });
      expect(run.outcome).toBe('cancelled');
      expect(differences(asBefore(run.before, run.after), run.after)).toEqual([]);
      expect(run.ledger).toEqual([expect.stringMatching(/^cancelled by new role/)]);
    },
  );
});
