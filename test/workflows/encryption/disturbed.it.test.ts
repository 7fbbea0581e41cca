/** Every step of a rotation of an encryption key, crashed, failed, cancelled and terminated, on real rows: none is ever lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { id, run } from '../../databases/roles/support/world.js';
import { endOf } from '../support/end-of.js';
import {
  answerLost,
  cancelledAfter,
  cancelledBefore,
  crashedBefore,
  failedAfter,
  goesOnWithout,
} from '../support/faults.js';
import { inParallel } from '../support/in-parallel.js';
import { pictureOf } from './support/picture.js';
import { carriedOut, type Ended } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { Given } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const MODES: readonly { given: Given; forward: string }[] = [
  { given: { mode: 'atomic' }, forward: 'proveOldKeyUnused 1' },
  // Its turn to deploy for the last time, and then the new key alone.
  { given: { mode: 'online' }, forward: 'findAhead 3' },
];

describe.each(MODES)('$given.mode', ({ given, forward }) => {
  let undisturbed: Ended;
  beforeAll(async () => {
    undisturbed = await carriedOut(stage, given);
  });

  it.each([
    ['before its effect', crashedBefore],
    ['after its effect', answerLost],
  ])('with each step crashed %s ends as if nothing had been', async (_, fault) => {
    const wrong = await inParallel(sampled(undisturbed.calls, 1), async (call) => {
      const disturbed: string[] = [];
      const prepare: Parameters<typeof carriedOut>[2] = {
        prepare: ({ faults }) =>
          faults.set(call, (attempt, body) => {
            disturbed.push(call);
            return fault(attempt, body);
          }),
      };
      const run = await carriedOut(stage, given, prepare);
      if (disturbed.length === 0) return [`${call}: was not reached`];
      const same = JSON.stringify(run.after) === JSON.stringify(undisturbed.after);
      return run.outcome === 'completed' && same && run.ledger.length === 1
        ? []
        : [`${call}: ${run.outcome} ${JSON.stringify(run.after)} ${run.ledger.join('|')}`];
    });
    expect(wrong.flat()).toEqual([]);
  });

  it.each(sampled(['failed', 'cancelled before', 'cancelled after'] as const, 1))(
    'with each step before the point of no return %s, all is as before',
    async (how) => {
      const { calls } = undisturbed;
      const places = calls.slice(1, calls.indexOf(forward));
      const wrong = await inParallel(sampled(places, 1), async (call) => {
        const run = await carriedOut(stage, given, {
          prepare: ({ faults }, handle) => {
            const cancel = () => handle.cancel();
            const fault =
              how === 'failed'
                ? failedAfter
                : how === 'cancelled before'
                  ? cancelledBefore(cancel)
                  : cancelledAfter(cancel);
            faults.set(call, fault);
          },
        });
        const goesOn = how === 'failed' && goesOnWithout(call);
        const expected = goesOn ? 'completed' : how === 'failed' ? 'rolled-back' : 'cancelled';
        const after = JSON.stringify(goesOn ? undisturbed.after : run.before);
        // What comes back is encrypted anew, and so not the same bytes, once a row was under the new key.
        return run.outcome.startsWith(expected) && JSON.stringify(run.after) === after
          ? []
          : [`${call}: ${run.outcome} ${JSON.stringify(run.after)}`];
      });
      expect(wrong.flat()).toEqual([]);
    },
  );

  it('terminated after each step: the next run goes on with its key, and completes', async () => {
    const { calls } = undisturbed;
    // Once the old key is destroyed, the next run begins a rotation of its own.
    const places = calls.slice(0, calls.indexOf('forgetPrevious 1'));
    const wrong = await inParallel(sampled(places, 1), async (call) => {
      const system = await stage.system(given);
      try {
        const handle = stage.runIn(system, 'production');
        system.faults.set(call, async (_, body) => {
          await body().catch(() => undefined);
          await handle.terminate();
        });
        await stage.start(system);
        const first = await endOf(handle);
        system.faults.clear();
        const outcome = await endOf(await stage.start(system));
        const same = JSON.stringify(await pictureOf(system)) === JSON.stringify(undisturbed.after);
        return first.includes('terminated') && outcome === 'completed' && same
          ? []
          : [`${call}: ${first}, ${outcome} ${JSON.stringify(await pictureOf(system))}`];
      } finally {
        await stage.remove(system);
      }
    });
    expect(wrong.flat()).toEqual([]);
  });
});

it('atomic: a failure at the last row leaves rows and file to the byte, and the application serves on the old key', async () => {
  const ended = await carriedOut(
    stage,
    { mode: 'atomic', rows: 5_000 },
    {
      prepare: ({ database, table, faults }) => {
        faults.set('reencryptAtomically 1', async (_, body) => {
          await run(
            database.url,
            `CREATE FUNCTION refuse_${table}() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN IF NEW.id = 5000 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON ${id(table)} FOR EACH ROW EXECUTE FUNCTION refuse_${table}();`,
          );
          return await body();
        });
      },
    },
  );
  expect(ended.outcome).toMatch(/^rolled-back: "Re-encrypt every row" failed/);
  expect(ended.untouched).toBe(true);
  expect(ended.after).toEqual(ended.before);
  expect(ended.history).toEqual(['stopped', 'deployed']);
});
