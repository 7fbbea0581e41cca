/** People steer the waits of a swap, by update and by signal; what was granted or created meanwhile is kept. */
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ABORT, DROP_NOW, EXTEND } from '../../../src/domain/messages.js';
import { id, run as query } from '../../databases/roles/support/world.js';
import { Held } from '../support/faults.js';
import { asBefore, differences } from './support/picture.js';
import { carriedOut } from './support/runs.js';
import { KEEPS, OBSERVES } from './support/scenarios.js';
import { BEN, Stage } from './support/stage.js';
import type { Given } from './support/system.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const LONG: Given = { strategy: 'copy', delay: '10m', observe: '10m' };
const WAYS = ['update', 'signal'] as const;

const keeps = (handle: WorkflowHandle): Promise<unknown> =>
  stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(KEEPS));
const observes = (handle: WorkflowHandle): Promise<unknown> =>
  stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(OBSERVES));

async function refusalOf(handle: WorkflowHandle, steer: string, input: object = {}): Promise<string> {
  const error: unknown = await handle
    .executeUpdate(steer, { args: [{ ...BEN, ...input }] })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  return ((error as WorkflowUpdateFailedError).cause as Error).message;
}

describe.concurrent.each(sampled(WAYS, 1))('by %s', (way) => {
  it('dropNow ends the wait, and asks for a decision that the policy did not ask for', async () => {
    const run = await carriedOut(stage, LONG, {
      meanwhile: async (_, handle) => {
        await keeps(handle);
        await stage.steer(handle, way, DROP_NOW);
        await stage.approve(handle, 'drop');
        await observes(handle);
        await stage.steer(handle, way, DROP_NOW);
      },
    });
    expect(run.outcome).toBe('completed');
    expect(run.after.logins).toMatchObject({ 'OLD OLD-PASSWORD': '28P01', 'NEW NEW-PASSWORD': 'in' });
    expect(run.ledger).toEqual([expect.stringContaining('Approval: drop the old role: done')]);
  });

  it('extend moves the deadline, counted from the one that stands', async () => {
    const moved: number[] = [];
    const run = await carriedOut(stage, LONG, {
      meanwhile: async (_, handle) => {
        await keeps(handle);
        const until = async (): Promise<number> =>
          Date.parse((await stage.until(handle, ({ wait }) => wait !== null)).wait?.until ?? '');
        const first = await until();
        for (const longer of ['6h', '30m']) {
          const before = await until();
          await stage.steer(handle, way, EXTEND, { for: longer });
          await stage.until(handle, ({ wait }) => Date.parse(wait?.until ?? '') > before);
          moved.push((await until()) - first);
        }
        await stage.steer(handle, way, ABORT);
      },
    });
    expect(moved).toEqual([6 * 3_600_000, 6.5 * 3_600_000]);
    expect(run.outcome).toBe('aborted');
  });

  it.each([
    ['the delay', keeps],
    ['the watch for rejected log-ins', observes],
  ])('abort during %s goes back to the old role', async (_, waits) => {
    const run = await carriedOut(
      stage,
      { ...LONG, delay: waits === keeps ? '10m' : '1s' },
      {
        meanwhile: async (_system, handle) => {
          await waits(handle);
          await stage.steer(handle, way, ABORT);
        },
      },
    );
    expect(run.outcome).toBe('aborted');
    expect(differences(asBefore(run.before, run.after), run.after)).toEqual([]);
  });
});

describe.concurrent('what cannot be steered', () => {
  it('is refused to who asked, and on the record when a signal did', async () => {
    let refusals: readonly string[] = [];
    const held = new Held();
    const run = await carriedOut(
      stage,
      { ...LONG, gates: ['promote'] },
      {
        prepare: ({ faults }) => faults.set('createRole 1', held.fault),
        meanwhile: async (_, handle) => {
          await held.reached;
          for (const steer of [EXTEND, DROP_NOW, ABORT])
            expect(await refusalOf(handle, steer, steer === EXTEND ? { for: '1h' } : {})).toMatch(
              /^nothing is waited for now that could be steered/,
            );
          await handle.signal(ABORT, BEN);
          held.release();
          await stage.until(handle, ({ gate }) => gate?.name === 'promote');
          expect(await refusalOf(handle, DROP_NOW)).toContain('a gate is decided by approve or reject');
          await stage.approve(handle, 'promote');
          await keeps(handle);
          expect(await refusalOf(handle, EXTEND)).toContain('for');
          expect(await refusalOf(handle, EXTEND, { for: '91d' })).toContain('more than 90 days');
          expect(await refusalOf(handle, EXTEND, { for: 'a while' })).toContain('must be a duration');
          expect(await refusalOf(handle, ABORT, { by: '' })).toContain('It must be one JSON object such as');
          await handle.signal(ABORT, 'nonsense');
          await stage.steer(handle, 'update', DROP_NOW);
          await stage.until(handle, ({ gate }) => gate?.name === 'drop');
          expect(await refusalOf(handle, DROP_NOW)).toContain('a gate is decided by approve or reject');
          ({ refusals } = await stage.until(handle, (status) => status.refusals.length >= 2));
          await stage.reject(handle, 'drop');
        },
      },
    );
    expect(run.outcome).toBe('rejected');
    expect(refusals).toEqual([
      expect.stringMatching(/^abort by ben@example.test refused: nothing is waited for/),
      expect.stringMatching(/^abort by unknown refused: /),
    ]);
    expect(differences(asBefore(run.before, run.after), run.after)).toEqual([]);
  });
});

const GIVENS = [
  { strategy: 'group', origin: 'own rights' },
  { strategy: 'group', origin: 'member of a group' },
  { strategy: 'copy', origin: 'own rights' },
] as const;
describe.concurrent.each(sampled(GIVENS, 1))('what appeared during the delay ($strategy, $origin)', (given) => {
  it('is kept: tables of the application, also of the old role’s sessions, and grants', async () => {
    let answers: unknown[] = [];
    const run = await carriedOut(
      stage,
      { ...LONG, ...given, observe: '1s' },
      {
        meanwhile: async ({ place }, handle) => {
          await keeps(handle);
          const { database, application, old, roles } = place;
          const asNew = application.urls.at(-1) ?? '';
          await query(asNew, 'CREATE TABLE app.by_new (id int); INSERT INTO app.by_new VALUES (1)');
          await query(old.url, 'CREATE TABLE app.by_old (id int); INSERT INTO app.by_old VALUES (2)');
          const holder = given.origin === 'own rights' ? old.user : roles.group;
          await query(
            database.url,
            `CREATE TABLE app.by_owner (id int); INSERT INTO app.by_owner VALUES (3); ALTER TABLE app.by_owner OWNER TO ${id(roles.owner)};
             GRANT SELECT, UPDATE ON app.by_owner TO ${id(holder)}`,
          );
          await stage.steer(handle, 'update', DROP_NOW);
          await stage.approve(handle, 'drop');
          await handle.result();
          answers = [
            ...(await query(asNew, 'SELECT id FROM app.by_new UNION SELECT id FROM app.by_old ORDER BY 1')),
            ...(await query(asNew, 'UPDATE app.by_owner SET id = 4 RETURNING id')),
            ...(await query(
              asNew,
              'ALTER TABLE app.by_old ADD COLUMN more int; ALTER TABLE app.by_new ADD COLUMN more int',
            )),
            ...(await query(
              database.url,
              `SELECT has_table_privilege('${roles.third}', 'app.by_new', 'SELECT') AS third`,
            )),
          ];
        },
      },
    );
    expect(run.outcome).toBe('completed');
    expect(answers).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }, { third: true }]);
    expect(run.after.logins['OLD OLD-PASSWORD']).toBe('28P01');
  });
});
