/** Every step of a recovery, crashed, failed, cancelled and terminated, on real rows: what could be read can be read afterwards. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { RECOVER_WORKFLOW_TYPE } from '../../../src/domain/messages.js';
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
import { attend, loseHalf, quarantineOf } from './support/losses.js';
import { pictureOf, type Picture } from './support/picture.js';
import { ledgerOf } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { sampled } from '../../support/sample.js';
import { inDeep } from '../../support/deep.js';

let stage: Stage;
let undisturbed: Ended;
let truncated: Ended;
beforeAll(async () => {
  stage = await Stage.open(RECOVER_WORKFLOW_TYPE);
  undisturbed = await recovered();
});
afterAll(() => stage.close());

const GIVEN: Given = { mode: 'atomic', recovery: { enable: ['enable'], watchEvery: '1s' } };
const TRUNCATE: Given = { mode: 'atomic', recovery: { ...GIVEN.recovery, unreadable: 'truncate' } };
/** Once credentials are entered again, nothing is undone. */
const FORWARD = 'findReentries 1';

interface Ended {
  readonly outcome: string;
  readonly before: Picture;
  readonly after: Picture;
  readonly quarantined: number;
  /** As the ledger has it. */
  readonly destroyed: readonly unknown[];
  readonly ledger: readonly string[];
  readonly calls: readonly string[];
}

async function recovered(
  prepare: (system: System, handle: WorkflowHandle) => void = () => undefined,
  given = GIVEN,
): Promise<Ended> {
  const system = await stage.system(given);
  try {
    await loseHalf(system);
    const before = await pictureOf(system);
    const handle = stage.runIn(system, 'production');
    prepare(system, handle);
    await stage.start(system);
    const leave = attend(handle);
    const outcome = await endOf(handle);
    await leave();
    return {
      outcome,
      before,
      after: await pictureOf(system),
      quarantined: (await quarantineOf(system)).length,
      destroyed: (await stage.rows(system)).flatMap((row) =>
        row.evidence.flatMap(({ evidence }) => evidence?.facts?.['destroyed'] ?? []),
      ),
      ledger: await ledgerOf(stage, system),
      // How often it is looked, and when, depends on the machine.
      calls: system.calls.filter((call) => !call.startsWith('awaitReentries')),
    };
  } finally {
    await stage.remove(system);
  }
}

it('undisturbed', () => {
  expect(undisturbed).toMatchObject({ outcome: 'completed', quarantined: 20, after: { rows: 'all there' } });
  expect(undisturbed.calls).toContain(FORWARD);
});

it.each([
  ['before its effect', crashedBefore],
  ['after its effect', answerLost],
])('with each step crashed %s ends as if nothing had been', async (_, fault) => {
  const wrong = await inParallel(sampled(undisturbed.calls, 1), async (call) => {
    const reached: string[] = [];
    const run = await recovered(({ faults }) =>
      faults.set(call, (attempt, body) => {
        reached.push(call);
        return fault(attempt, body);
      }),
    );
    const same = JSON.stringify(run.after) === JSON.stringify(undisturbed.after);
    return reached.length > 0 &&
      run.outcome === 'completed' &&
      same &&
      run.quarantined === 20 &&
      run.ledger.length === 1
      ? []
      : [`${call}: ${reached.length > 0 ? '' : 'not reached '}${run.outcome} ${JSON.stringify(run)}`];
  });
  expect(wrong.flat()).toEqual([]);
});

it.each(sampled(['failed', 'cancelled before', 'cancelled after'] as const, 1))(
  'with each step before the point of no return %s, all is as before',
  async (how) => {
    const { calls } = undisturbed;
    const wrong = await inParallel(sampled(calls.slice(1, calls.indexOf(FORWARD)), 1), async (call) => {
      const run = await recovered(({ faults }, handle) => {
        const cancel = () => handle.cancel();
        const cancelled = how === 'cancelled before' ? cancelledBefore(cancel) : cancelledAfter(cancel);
        faults.set(call, how === 'failed' ? failedAfter : cancelled);
      });
      const goesOn = how === 'failed' && goesOnWithout(call);
      const expected = goesOn ? 'completed' : how === 'failed' ? 'rolled-back' : 'cancelled';
      const { after, quarantined } = goesOn ? undisturbed : { after: run.before, quarantined: 0 };
      const asExpected = JSON.stringify(run.after) === JSON.stringify(after) && run.quarantined === quarantined;
      return run.outcome.startsWith(expected) && asExpected ? [] : [`${call}: ${run.outcome} ${JSON.stringify(run)}`];
    });
    expect(wrong.flat()).toEqual([]);
  },
);

/** After that call, and gone on from. @returns what was wrong with it. */
async function terminatedAfter(call: string, given: Given, expected: Ended): Promise<string[]> {
  const system = await stage.system(given);
  try {
    await loseHalf(system);
    const handle = stage.runIn(system, 'production');
    system.faults.set(call, async (_, body) => {
      await body().catch(() => undefined);
      await handle.terminate();
    });
    await stage.start(system);
    const leave = attend(handle);
    const first = await endOf(handle);
    system.faults.clear();
    const outcome = await endOf(await stage.start(system));
    await leave();
    const picture = await pictureOf(system);
    const same = JSON.stringify(picture) === JSON.stringify(expected.after);
    const moved = (await quarantineOf(system)).length;
    return first.includes('terminated') && outcome === 'completed' && same && moved === expected.quarantined
      ? []
      : [`${call}: ${first}, ${outcome} ${moved} ${JSON.stringify(picture)}`];
  } finally {
    await stage.remove(system);
  }
}

it('terminated after each step: the next run goes on with its key and its quarantine, and completes', async () => {
  const { calls } = undisturbed;
  const wrong = await inParallel(sampled(calls.slice(0, calls.indexOf('forgetPrevious 1')), 1), (call) =>
    terminatedAfter(call, GIVEN, undisturbed),
  );
  expect(wrong.flat()).toEqual([]);
});

const endOfAll = ({ outcome, after, quarantined, destroyed, ledger }: Ended): string =>
  JSON.stringify([outcome, after, quarantined, destroyed, ledger]);

// Until its rows are moved it differs in nothing from the other.
inDeep.describe('where the inventory wants the lost rows truncated', () => {
  beforeAll(async () => {
    truncated = await recovered(undefined, TRUNCATE);
  });
  it('undisturbed', () => {
    expect(truncated).toMatchObject({ outcome: 'completed', quarantined: 0, destroyed: [20] });
    expect(truncated.after).toEqual(undisturbed.after);
    expect(truncated.calls.slice(-4)).toEqual([
      ...['proveOldKeyUnused 1', 'destroyQuarantine 1', 'forgetPrevious 1', 'recordRotation 1'],
    ]);
  });

  it.each([
    ['before its effect', crashedBefore],
    ['after its effect', answerLost],
  ])('each step from the checklist on, crashed %s, ends as if nothing had been', async (_, fault) => {
    const { calls } = truncated;
    const wrong = await inParallel(sampled(calls.slice(calls.indexOf(FORWARD)), 1), async (call) => {
      const reached: string[] = [];
      const run = await recovered(({ faults }) => {
        faults.set(call, (attempt, body) => {
          reached.push(call);
          return fault(attempt, body);
        });
      }, TRUNCATE);
      return reached.length > 0 && endOfAll(run) === endOfAll(truncated)
        ? []
        : [`${call}: ${reached.length > 0 ? '' : 'not reached '}${JSON.stringify(run)}`];
    });
    expect(wrong.flat()).toEqual([]);
  });

  it('each step failed between moving the rows and the checklist: all is as before', async () => {
    const { calls } = truncated;
    const wrong = await inParallel(
      sampled(calls.slice(calls.indexOf('recoverRows 1'), calls.indexOf(FORWARD)), 1),
      async (call) => {
        const run = await recovered(({ faults }) => faults.set(call, failedAfter), TRUNCATE);
        const asBefore = JSON.stringify(run.after) === JSON.stringify(run.before) && run.quarantined === 0;
        return run.outcome.startsWith('rolled-back') && asBefore && run.destroyed.length === 0
          ? []
          : [`${call}: ${JSON.stringify(run)}`];
      },
    );
    expect(wrong.flat()).toEqual([]);
  });

  it('terminated after each step from the moving on: the next run goes on, destroys them too, and completes', async () => {
    const { calls } = truncated;
    const wrong = await inParallel(
      sampled(calls.slice(calls.indexOf('recoverRows 1'), calls.indexOf('forgetPrevious 1')), 1),
      (call) => terminatedAfter(call, TRUNCATE, truncated),
    );
    expect(wrong.flat()).toEqual([]);
  });
});
