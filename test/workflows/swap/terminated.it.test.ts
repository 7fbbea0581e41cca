/** A run that is terminated undoes nothing. The next one takes over its hold and goes on from wherever that one was. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../support/faults.js';
import { inParallel } from '../support/in-parallel.js';
import { differences, pictureOf } from './support/picture.js';
import { endOf } from '../support/end-of.js';
import { carriedOut, ledgerOf, type Ended } from './support/runs.js';
import { SCENARIOS } from './support/scenarios.js';
import { Stage } from './support/stage.js';
import type { Given } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

describe.each(sampled(SCENARIOS, 1))('$name', ({ given }) => {
  let undisturbed: Ended;
  beforeAll(async () => {
    undisturbed = await carriedOut(stage, given);
  });

  it('terminated after each step: the next run completes it, and asks before it drops a role that is shut out', async () => {
    const { calls } = undisturbed;
    // Once the old credential is destroyed, the next run begins a rotation of its own.
    const places = calls.slice(0, calls.indexOf('forgetPrevious 1'));
    const wrong = await inParallel(sampled(places, 2), async (call) => {
      const system = await stage.system(given);
      try {
        const handle = stage.runIn(system, 'production');
        const terminated: Fault = async (_, body) => {
          await body().catch(() => undefined);
          await handle.terminate();
        };
        system.faults.set(call, terminated);
        await stage.start(system);
        const first = await endOf(handle);
        system.faults.clear();
        const next = await stage.start(system);
        // The run itself saw to it that nobody was on the role; the next one finds one that somebody has shut out.
        if (shutOut(given, call, calls) && given.reason !== 'leak') await stage.approve(next, 'drop');
        const outcome = await endOf(next);
        const [row = '', ...rows] = await ledgerOf(stage, system);
        const begun = !['resolvePlan 1', 'checkReadiness 1'].includes(call);
        // After a leak what the first run had staged is replaced in its turn.
        const more = given.reason === 'leak' && begun ? rows.slice(1) : rows;
        return [
          ...(first.includes('terminated') ? [] : [first]),
          ...(outcome === 'completed' ? [] : [outcome]),
          ...differences(undisturbed.after, await pictureOf(system.place)),
          ...(row.includes('Go on from where an earlier run was ended: done') === begun ? [] : [row]),
          ...more,
        ].map((line) => `${call}: ${line}`);
      } finally {
        await stage.remove(system);
      }
    });
    expect(wrong.flat()).toEqual([]);
  });
});

/** A role that becomes the group is never gone; so its end cannot be told from its being shut out. */
function shutOut({ strategy, origin }: Given, call: string, calls: readonly string[]): boolean {
  const stays = strategy === 'group' && origin === 'own rights';
  const [from, to] = [calls.indexOf('disableOldRole 1'), stays ? calls.length : calls.indexOf('dropOldRole 1')];
  return from !== -1 && calls.indexOf(call) >= from && calls.indexOf(call) < to;
}
