/** A credential through staging and production in waves: all get there, or all go back. */
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { Console } from '../../../src/cli/console.js';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { steer } from '../../../src/cli/steer.js';
import { ABORT } from '../../../src/domain/messages.js';
import type { RotationReport } from '../../../src/domain/report.js';
import type { RolloutReport } from '../../../src/domain/status.js';
import { Held } from '../support/faults.js';
import { asBefore, differences, pictureOf, type Picture } from './support/picture.js';
import { endOf } from '../support/end-of.js';
import { ledgerOf } from './support/runs.js';
import { KEEPS } from './support/scenarios.js';
import { BEN, Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { inDeep } from '../../support/deep.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
  vi.stubEnv('TEMPORAL_ADDRESS', inject('temporalAddress'));
});
afterAll(() => stage.close());

const ENVIRONMENTS = ['staging', 'production'] as const;
const GIVEN: Given = { strategy: 'group', environments: ENVIRONMENTS, gates: ['wave'] };
/** A leader that was terminated is looked after ten minutes later at the soonest. */
const A_LOOK_SECONDS = 11 * 60;

interface Waves {
  readonly system: System;
  readonly leader: WorkflowHandle;
  readonly staging: WorkflowHandle;
  readonly production: WorkflowHandle;
}

/** Staging is well on its new role and waits for the others; production asks whether to begin. */
async function withWaves(body: (waves: Waves) => Promise<void>, given: Given = GIVEN): Promise<void> {
  const system = await stage.system(given);
  try {
    const leader = await stage.start(system);
    const [staging, production] = [stage.runIn(system, 'staging'), stage.runIn(system, 'production')];
    await stage.approve(staging, 'wave');
    await stage.until(staging, ({ phase }) => phase === 'Wait for the other environments');
    await stage.until(production, ({ gate }) => gate?.name === 'wave');
    await body({ system, leader, staging, production });
  } finally {
    await stage.remove(system);
  }
}

async function pictures(system: System): Promise<Picture[]> {
  return await Promise.all(ENVIRONMENTS.map((name) => pictureOf(system.in(name))));
}

async function expectSwapped(system: System): Promise<void> {
  for (const after of await pictures(system)) {
    expect(after.logins).toEqual({ 'OLD OLD-PASSWORD': '28P01', 'NEW NEW-PASSWORD': 'in' });
    expect(after.sessions).toEqual(['NEW']);
    expect(after.files).toEqual(['.env']);
    expect(after.work).toBe('all there');
  }
  const rows = await ledgerOf(stage, system);
  expect(rows.map((row) => row.split(' ')[0])).toEqual(['completed', 'completed']);
}

/** What the UI shows of a run. */
async function detailsOf(handle: WorkflowHandle): Promise<string> {
  return (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
}

/** As `keyturn abort SYSTEM/SECRET` does it. */
async function abortByName(selector: string): Promise<{ exitCode: number; document: unknown; notes: string[] }> {
  const console = new Console({ json: true, colour: false, env: {} });
  let document: unknown;
  vi.spyOn(console, 'document').mockImplementation((value) => (document = value));
  const notes: string[] = [];
  vi.spyOn(console, 'note').mockImplementation((text) => notes.push(text));
  const exitCode = await steer({ console, env: {}, cwd: '/', inventory: undefined }, ABORT, selector, { as: BEN.by });
  return { exitCode, document, notes };
}

/** What an environment is, never having been touched by a run: every place begins alike. */
async function untouched(given: Given): Promise<Picture> {
  const system = await stage.system({ ...given, environments: ['production'] });
  try {
    return await pictureOf(system.place);
  } finally {
    await stage.remove(system);
  }
}

async function expectAsBefore(system: System): Promise<void> {
  const before = await untouched(GIVEN);
  for (const after of await pictures(system)) expect(differences(asBefore(before, after), after)).toEqual([]);
}

describe.concurrent('both environments well', () => {
  it('the delays begin together, and both are swapped', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      expect((await staging.describe()).status.name).toBe('RUNNING');
      await stage.approve(production, 'wave');
      const report = (await leader.result()) as RolloutReport;
      expect(report.reports.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
      await expectSwapped(system);
    });
  });
});

describe.concurrent('production does not get there', () => {
  it('its deploy fails: it goes back, and so does staging', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      system.faults.set('production deployService 1', async () => {
        await Promise.resolve();
        throw ApplicationFailure.nonRetryable('the new container does not start', 'deploy-failed');
      });
      await stage.approve(production, 'wave');
      expect(await endOf(leader)).toMatch(/^rolled-back: .*the new container does not start/);
      expect(await endOf(production)).toMatch(/^rolled-back: /);
      expect(await endOf(staging)).toBe('aborted');
      await expectAsBefore(system);
      const rows = await ledgerOf(stage, system);
      expect(rows.map((row) => row.split(' by ')[0]).sort()).toEqual(['aborted', 'rolled back']);
    });
  });

  inDeep.it('people say no to it: staging goes back too', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      await stage.reject(production, 'wave');
      const report = (await leader.result()) as RolloutReport;
      expect(report.reports.map(({ outcome }) => outcome)).toEqual(['aborted', 'rejected']);
      expect(await endOf(staging)).toBe('aborted');
      await expectAsBefore(system);
    });
  });

  inDeep.it('staging is aborted meanwhile: production does not stay alone on its new role', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      await stage.steer(staging, 'update', ABORT);
      expect(await endOf(staging)).toBe('aborted');
      // Who is asked about production need not know of it.
      await stage.approve(production, 'wave');
      const report = (await leader.result()) as RolloutReport;
      expect(report.reports.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted']);
      expect(await endOf(production)).toBe('aborted');
      await expectAsBefore(system);
    });
  });

  inDeep.it(
    'abort of the whole rollout names production, which does not wait, and goes back once it gets there',
    async (context) => {
      await withWaves(async ({ system, leader, production }) => {
        const told = await abortByName(`${system.name}/${system.secret}`);
        const ref = `${system.name}/production/${system.secret}`;
        context.expect(told).toMatchObject({
          exitCode: EXIT.failed,
          document: { steered: [{ ref: `${system.name}/staging/${system.secret}` }], goOn: [ref] },
          notes: [
            context.expect.stringMatching(
              new RegExp(`^error: ${ref} is not aborted.*\nhint: .* cancel ${ref} --as ben@`),
            ),
          ],
        });
        await stage.approve(production, 'wave');
        const report = (await leader.result()) as RolloutReport;
        context.expect(report.reports.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted']);
      });
    },
  );

  inDeep.it('the leading run is cancelled: all environments go back', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      await leader.cancel();
      expect(await endOf(leader)).toBe('cancelled');
      expect([await endOf(staging), await endOf(production)]).toEqual(['cancelled', 'cancelled']);
      await expectAsBefore(system);
    });
  });
});

describe.concurrent('the leading run is terminated', () => {
  it('each environment goes on by itself, to its end', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      await leader.terminate();
      await stage.approve(production, 'wave');
      await stage.until(production, ({ phase }) => phase === 'Wait for the other environments');
      for (const handle of [staging, production]) {
        // It may end while it is being hurried along.
        await stage.fastForward(handle, A_LOOK_SECONDS).catch((error: unknown) => {
          if (!String(error).includes('ended before')) throw error;
        });
        expect(await endOf(handle)).toBe('completed');
      }
      await expectSwapped(system);
    });
  });
});

describe.concurrent('in the delay', () => {
  it('an abort sent to the leading run turns both environments back', async () => {
    await withWaves(
      async ({ system, leader, staging, production }) => {
        await stage.approve(production, 'wave');
        for (const handle of [staging, production])
          await stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(KEEPS));
        await leader.signal(ABORT, { by: 'ben@example.test' });
        const report = (await leader.result()) as RolloutReport;
        expect(report.reports.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted']);
        await expectAsBefore(system);
      },
      { ...GIVEN, delay: '10m' },
    );
  });
});

describe.concurrent('words that come early, late, or from somebody else', () => {
  inDeep.it('staging is aborted before production has even been planned: production goes back as well', async () => {
    const system = await stage.system(GIVEN);
    try {
      const held = new Held();
      system.faults.set('production resolvePlan 1', held.fault);
      const leader = await stage.start(system);
      const [staging, production] = [stage.runIn(system, 'staging'), stage.runIn(system, 'production')];
      await stage.approve(staging, 'wave');
      await held.reached;
      await stage.steer(staging, 'update', ABORT);
      expect(await endOf(staging)).toBe('aborted');
      held.release();
      await stage.approve(production, 'wave');
      expect(await endOf(production)).toBe('aborted');
      const report = (await leader.result()) as RolloutReport;
      expect(report.reports.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted']);
      expect(report.reports.flatMap(({ refusals }) => refusals)).toEqual([]);
      await expectAsBefore(system);
    } finally {
      await stage.remove(system);
    }
  });

  inDeep.it('a verdict that answers nothing counts for nothing, and is on the record', async () => {
    await withWaves(async ({ system, leader, staging, production }) => {
      const verdict = { goOn: true, why: 'all is well', nonces: ['00000000-0000-4000-8000-000000000000'] };
      await production.signal('waveVerdict', verdict);
      for (const input of [[], [null], [{ goOn: true }], [{ ...verdict, goOn: 'yes' }], [verdict]])
        await staging.signal('waveVerdict', ...input);
      await staging.signal('waveVerdict', { ...verdict, goOn: false });
      const { phase, refusals } = await stage.until(staging, (status) => status.refusals.length >= 6);
      expect(phase).toBe('Wait for the other environments');
      const none = 'waveVerdict refused: it is none; it comes from the leading run, not from people';
      const forged = 'waveVerdict refused: it does not answer what this run said to the one that leads it';
      expect(refusals).toEqual([none, none, none, none, forged, forged]);
      await stage.approve(production, 'wave');
      const { reports } = (await leader.result()) as RolloutReport;
      expect(reports.map((report) => [report.outcome, report.refusals.length])).toEqual([
        ['completed', 6],
        ['completed', 1],
      ]);
      expect(reports[1]?.refusals[0]).toContain('has not said yet that it is well');
      await expectSwapped(system);
    });
  });

  inDeep.it('a "well" that is none, or of an environment not begun, stalls nothing and begins nothing', async () => {
    const system = await stage.system(GIVEN);
    try {
      const leader = await stage.start(system);
      const [staging, production] = [stage.runIn(system, 'staging'), stage.runIn(system, 'production')];
      await stage.until(staging, ({ gate }) => gate?.name === 'wave');
      const notBegun = { ref: leader.workflowId.replace(/^all:([^/]+)/, '$1/production'), nonce: 'forged' };
      const bare = { ref: notBegun.ref.replace('production', 'staging') };
      for (const input of [[], [null], ['well'], [bare], [notBegun]]) await leader.signal('waveWell', ...input);
      const shown = await detailsOf(leader);
      expect(shown.match(/waveWell refused: it is none/g)).toHaveLength(4);
      expect(shown.match(/waveWell refused: it names no environment/g)).toHaveLength(1);
      await expect(production.describe()).rejects.toThrow();

      await stage.approve(staging, 'wave');
      await stage.approve(production, 'wave');
      const report = (await leader.result()) as RolloutReport;
      expect(report.reports.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
      await expectSwapped(system);
    } finally {
      await stage.remove(system);
    }
  });

  inDeep.it(
    'that it cannot be asked whether the leading run still runs does not turn a well environment back',
    async (context) => {
      await withWaves(async ({ system, leader, staging, production }) => {
        let asked = 0;
        const unreachable = async (): Promise<never> => {
          asked += 1;
          await Promise.resolve();
          throw ApplicationFailure.nonRetryable('the server cannot be reached', 'unreachable');
        };
        system.faults.set('staging findHolder 1', unreachable);
        await stage.fastForward(staging, A_LOOK_SECONDS);
        await context.expect.poll(() => asked, { timeout: 60_000 }).toBe(1);
        await stage.approve(production, 'wave');
        const report = (await leader.result()) as RolloutReport;
        expect(report.reports.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
        await expectSwapped(system);
      });
    },
  );

  it('a run that nobody leads takes no verdict', async () => {
    const system = await stage.system({ ...GIVEN, environments: ['production'] });
    try {
      const run = await stage.start(system);
      await stage.until(run, ({ gate }) => gate?.name === 'wave');
      await run.signal('waveVerdict', { goOn: false, why: 'go back', nonces: ['forged'] });
      await stage.approve(run, 'wave');
      const { outcome, refusals } = (await run.result()) as RotationReport;
      expect({ outcome, refusals }).toEqual({
        outcome: 'completed',
        refusals: ['waveVerdict refused: no other run leads this one'],
      });
    } finally {
      await stage.remove(system);
    }
  });
});
