/** A rotation that is undone destroys its new key. By then no row may need it, whoever has written meanwhile. */
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StallingProxy } from '../../support/stalling-proxy.js';
import { endOf } from '../support/end-of.js';
import { limitsOf } from './support/limits.js';
import { pictureOf } from './support/picture.js';
import { carriedOut } from './support/runs.js';
import { Stage } from './support/stage.js';
import type { Given } from './support/system.js';
import { inDeep } from '../../support/deep.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const failed = (): never => {
  throw ApplicationFailure.nonRetryable('failed for good', 'test-failure');
};

describe('a program that has missed the way back, and still writes under the new key', () => {
  it('before the key is destroyed: its row is taken back to the old key', async () => {
    const { outcome, after, before } = await carriedOut(
      stage,
      { mode: 'online' },
      {
        prepare: ({ faults, application }) => {
          let fresh: string | undefined;
          faults.set('readRows 1', () => {
            [fresh] = application.keys;
            return failed();
          });
          // The last deploy of the way back: all sweeps of it are over.
          faults.set('deployService 4', async (_, body) => {
            const said = await body();
            await application.write('written under the new key', fresh);
            return said;
          });
        },
      },
    );
    expect(outcome).toMatch(/^rolled-back/);
    expect(after).toEqual({ ...before, underOld: before.underOld + 1 });
  });

  it.each(sampled(['atomic', 'online'] as const, 1))(
    '%s, in the last moment: the key is kept, and the run says so',
    async (mode) => {
      const { outcome, after } = await carriedOut(
        stage,
        { mode },
        {
          prepare: ({ faults, application }) => {
            let fresh: string | undefined;
            faults.set(mode === 'atomic' ? 'runChecks 1' : 'readRows 1', () => {
              [fresh] = application.keys;
              return failed();
            });
            faults.set('discardKey 1', async (_, body) => {
              await application.write('written under the new key', fresh);
              return await body();
            });
          },
        },
      );
      expect(outcome).toMatch(/^stopped.*: 1 row\(s\) of/);
      expect(after.files).toContain('.env.keyturn');
      expect(after.rows).toMatch(/^wrong: 1000000$/);
    },
  );
});

describe('an attempt of a worker that was given up for lost, and wakes up when all is undone, writes nothing:', () => {
  const asleep: readonly { what: string; given: Given; call: string; at: RegExp }[] = [
    {
      what: 'atomic, before it has asked the server anything',
      given: { mode: 'atomic' },
      call: 'reencryptAtomically 1',
      at: /[^]/,
    },
    {
      what: 'atomic, with the tables locked',
      given: { mode: 'atomic' },
      call: 'reencryptAtomically 1',
      at: /UPDATE ONLY/,
    },
    {
      what: 'online, with a page to be written',
      given: { mode: 'online' },
      call: 'reencryptRows 1',
      at: /UPDATE ONLY/,
    },
  ];
  it.each(sampled(asleep, 1))('$what', async ({ given, call, at }) => {
    const system = await stage.system(given);
    const { proxy, url } = await StallingProxy.to(system.database.url);
    try {
      const before = await pictureOf(system);
      (system.variables as Record<string, string>)['ADMIN'] = url;
      let zombie: Promise<unknown> = Promise.resolve();
      system.faults.set(call, async (_, body) => {
        const sleeping = proxy.stallAt(at);
        zombie = body().catch((error: unknown) => error);
        await sleeping;
        return failed();
      });
      expect(await endOf(await stage.start(system))).toMatch(/^rolled-back/);
      proxy.wake();
      await zombie;
      expect(await pictureOf(system)).toEqual(before);
    } finally {
      await proxy.close();
      await stage.remove(system);
    }
  });
});

inDeep.describe(
  'an attempt of the way back that wakes up when the next run has ended well, writes nothing under the key that is gone:',
  () => {
    it.each([
      ['atomic, with the tables locked', 'atomic', 'runChecks 1', 'reencryptAtomically 2'],
      ['online, with a page to be written', 'online', 'readRows 1', 'reencryptRows 3'],
    ] as const)('%s', async (_, mode, fails, call) => {
      const system = await stage.system({ mode });
      const { proxy, url } = await StallingProxy.to(system.database.url);
      try {
        (system.variables as Record<string, string>)['ADMIN'] = url;
        let zombie: Promise<unknown> = Promise.resolve();
        system.faults.set(fails, failed);
        system.faults.set(call, async (_attempt, body) => {
          const sleeping = proxy.stallAt(/UPDATE ONLY/);
          zombie = body().catch((error: unknown) => error);
          await sleeping;
          return failed();
        });
        expect(await endOf(await stage.start(system))).toMatch(/^stopped/);
        expect(await endOf(await stage.start(system))).toBe('completed');
        const ended = await pictureOf(system);
        expect(ended).toMatchObject({ rows: 'all there', underOld: 0, files: ['.env'], runs: true });
        proxy.wake();
        await zombie;
        expect(await pictureOf(system)).toEqual(ended);
      } finally {
        await proxy.close();
        await stage.remove(system);
      }
    });
  },
);

inDeep.it(
  'a terminated run, whose rows are under its key already: a no to the next run does not destroy that key',
  async () => {
    const system = await stage.system({ mode: 'atomic', gates: ['promote'] });
    try {
      const first = stage.runIn(system, 'production');
      system.faults.set('reencryptAtomically 1', async (_, body) => {
        await body();
        await first.terminate();
      });
      await stage.start(system);
      await stage.approve(first, 'promote');
      expect(await endOf(first)).toMatch(/terminated/);

      const second = await stage.start(system);
      await stage.reject(second, 'promote');
      expect(await endOf(second)).toMatch(/^stopped.*40 row\(s\)/);
      const third = await stage.start(system);
      await stage.approve(third, 'promote');
      expect(await endOf(third)).toBe('completed');
      expect(await pictureOf(system)).toMatchObject({ rows: 'all there', underOld: 0, files: ['.env'], runs: true });
    } finally {
      await stage.remove(system);
    }
  },
);

inDeep.it(
  'atomic, terminated with the services on the new key: when the next run fails, rows and services come back together',
  async () => {
    const system = await stage.system({ mode: 'atomic' });
    try {
      const before = await pictureOf(system);
      system.faults.set('deployService 1', async (_, body) => {
        await body();
        await stage.runIn(system, 'production').terminate();
      });
      expect(await endOf(await stage.start(system))).toMatch(/terminated/);
      system.faults.set('reencryptAtomically 2', failed);
      expect(await endOf(await stage.start(system))).toMatch(/^rolled-back/);
      expect(await pictureOf(system)).toEqual(before);
    } finally {
      await stage.remove(system);
    }
  },
);

inDeep.it('atomic: rows that are back under the old key are not locked again, once the services run', async () => {
  let limits: readonly number[] = [];
  const { outcome, calls, after, before } = await carriedOut(
    stage,
    { mode: 'atomic' },
    {
      prepare: ({ faults }) => faults.set('runChecks 1', failed),
      meanwhile: async (_, handle) => {
        await endOf(handle);
        limits = await limitsOf(handle, 'reencryptAtomically');
      },
    },
  );
  expect(outcome).toMatch(/^rolled-back/);
  expect(after).toEqual(before);
  expect(calls.filter((call) => call.startsWith('reencryptAtomically'))).toHaveLength(2);
  // The way back may take as long as the way there.
  expect(limits[1]).toBe(limits[0]);
});
