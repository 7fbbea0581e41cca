/** Every call of every runbook, disturbed in every way: whatever becomes of it, the invariants hold. */
import { beforeAll, describe, expect, it } from 'vitest';
import { carriedOut, placesOf, undisturbed, type Undisturbed } from './support/matrix.js';
import { RUNBOOKS } from './support/runbooks.js';
import { Stage } from './support/stage.js';

/** So many runs at a time: each waits a moment for the others' turn. */
const AT_A_TIME = 8;
/** A net: it is some two hundred runs, and takes seconds. */
const LONG_MS = 300_000;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(RUNBOOKS[0]!);
});

describe.each(RUNBOOKS.flatMap((runbook) => runbook.reasons.map((reason) => ({ ...runbook, runbook, reason }))))(
  '$name, $reason',
  ({ runbook, reason }) => {
    let plain: Undisturbed;

    it('undisturbed completes', async () => {
      const [found, wrong] = await undisturbed(stage, runbook, reason);
      plain = found;
      expect(wrong).toEqual([]);
    });

    it(
      'each call disturbed in each way, and each gate said no to: the invariants hold',
      async () => {
        const todo = placesOf(runbook, reason, plain);
        const wrong: string[] = [];
        const lane = async (): Promise<void> => {
          for (let place = todo.shift(); place; place = todo.shift()) wrong.push(...(await carriedOut(stage, place)));
        };
        await Promise.all(Array.from({ length: AT_A_TIME }, lane));
        expect(wrong).toEqual([]);
      },
      LONG_MS,
    );
  },
);
