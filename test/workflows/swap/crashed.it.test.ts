/** Every step of a swap, as an undisturbed run goes through them, crashed before and after its effect: nothing else comes of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerLost, crashedBefore } from '../support/faults.js';
import { inParallel } from '../support/in-parallel.js';
import { differences } from './support/picture.js';
import { carriedOut, type Ended } from './support/runs.js';
import { SCENARIOS } from './support/scenarios.js';
import { Stage } from './support/stage.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

describe.each(sampled(SCENARIOS, 1))('$name', ({ given, login, forward }) => {
  let undisturbed: Ended;
  beforeAll(async () => {
    undisturbed = await carriedOut(stage, given);
  });

  it('undisturbed: the new credential serves, the old one is refused, every row is there, and one is in the ledger', () => {
    expect(undisturbed).toMatchObject({
      outcome: 'completed',
      after: { work: 'all there', files: ['.env'], mode: '640' },
    });
    expect(undisturbed.after.sessions).toEqual([login]);
    expect(undisturbed.after.logins).toEqual({ 'OLD OLD-PASSWORD': '28P01', [`${login} NEW-PASSWORD`]: 'in' });
    expect(undisturbed.after.env).toBe(undisturbed.before.env.replace('OLD:OLD-PASSWORD', `${login}:NEW-PASSWORD`));
    expect(undisturbed.ledger).toHaveLength(1);
    expect(undisturbed.calls).toContain(forward);
  });

  it.each([
    ['before its effect', crashedBefore],
    ['after its effect', answerLost],
  ])('with each step crashed %s ends as if nothing had been', async (_, fault) => {
    const { calls } = undisturbed;
    const wrong = await inParallel(sampled(calls, 3), async (call) => {
      let disturbed = 0;
      const run = await carriedOut(stage, given, {
        prepare: ({ faults }) =>
          faults.set(call, (attempt, body) => {
            disturbed += 1;
            return fault(attempt, body);
          }),
      });
      if (disturbed === 0) return [`${call}: was not reached (${run.outcome})`];
      if (run.outcome !== 'completed') return [`${call}: ${run.outcome}`];
      return [
        ...differences(undisturbed.after, run.after),
        ...(run.ledger.join('\n') === undisturbed.ledger.join('\n') ? [] : run.ledger),
      ].map((line) => `${call}: ${line}`);
    });
    expect(wrong.flat()).toEqual([]);
  });
});
