/** A recovery that is undone, also by the run that goes on from a terminated one: no row is left under a key that is destroyed. */
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECOVER_WORKFLOW_TYPE } from '../../../src/domain/messages.js';
import { StallingProxy } from '../../support/stalling-proxy.js';
import { endOf } from '../support/end-of.js';
import { limitsOf } from './support/limits.js';
import { attend, enterAgain, lose, loseHalf, quarantineOf } from './support/losses.js';
import { pictureOf } from './support/picture.js';
import { Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { inDeep } from '../../support/deep.js';
import { sampled } from '../../support/sample.js';

const GIVEN: Given = { mode: 'atomic', recovery: { watchEvery: '1s' } };
let stage: Stage;
let withBackup: Given;
beforeAll(async () => {
  stage = await Stage.open(RECOVER_WORKFLOW_TYPE);
  const identity = await generateX25519Identity();
  withBackup = { ...GIVEN, backup: { identity, recipient: await identityToRecipient(identity) } };
});
afterAll(() => stage.close());

const failed = (): never => {
  throw ApplicationFailure.nonRetryable('failed for good', 'test-failure');
};

async function withSystem(given: Given, body: (system: System) => Promise<void>): Promise<void> {
  const system = await stage.system(given);
  try {
    await body(system);
  } finally {
    await stage.remove(system);
  }
}

/** Everything that is asked is approved. */
async function recovered(system: System): Promise<string> {
  const handle = await stage.start(system);
  const leave = attend(handle);
  const outcome = await endOf(handle);
  await leave();
  return outcome;
}

async function terminatedAfter(call: string, system: System): Promise<void> {
  system.faults.set(call, async (_, body) => {
    await body();
    await stage.runIn(system, 'production').terminate();
  });
  expect(await recovered(system)).toMatch(/terminated/);
}

describe('the run that goes on from a terminated one, and fails before it has come to anything:', () => {
  inDeep.it.each([
    ['with nobody running', 'recoverRows 1'],
    ['with the services on the new key', 'deployService 1'],
  ])('%s, it takes back what the other had come to', async (_, call) => {
    await withSystem(withBackup, async (system) => {
      await loseHalf(system);
      const before = await pictureOf(system);
      await terminatedAfter(call, system);
      expect(await quarantineOf(system)).toHaveLength(20);
      system.faults.set('makeArchive 2', failed);
      expect(await recovered(system)).toMatch(/^rolled-back.*no row is under it/);
      expect(await pictureOf(system)).toEqual(before);
      expect(await quarantineOf(system)).toEqual([]);
    });
  });

  inDeep.it(
    'once credentials are entered again, it keeps key and quarantine, stops nobody for long, and says so',
    async () => {
      await withSystem(withBackup, async (system) => {
        const lost = await loseHalf(system);
        const first = await stage.start(system);
        await stage.approve(first, 'recover');
        await stage.until(first, ({ gate }) => gate?.name === 'reentry');
        await enterAgain(system, lost.slice(0, 1));
        await first.terminate();
        const before = await pictureOf(system);

        system.faults.set('makeArchive 2', failed);
        expect(await recovered(system)).toMatch(/^stopped.*1 of 20 .*entered again.*keyturn recover/);
        expect(await pictureOf(system)).toEqual(before);
        // The services stand still when this one fails.
        system.faults.set('recoverRows 2', failed);
        expect(await recovered(system)).toMatch(/^stopped.*1 of 20 .*entered again.*keyturn recover/);
        expect(await pictureOf(system)).toEqual(before);
        expect(await quarantineOf(system)).toHaveLength(20);

        expect(await recovered(system)).toBe('completed');
        expect(await pictureOf(system)).toMatchObject({ rows: 'all there', underOld: 0, files: ['.env'], runs: true });
      });
    },
  );

  inDeep.it('once the quarantine is destroyed, it takes nothing back, and says so', async () => {
    const truncate = { ...withBackup, recovery: { ...GIVEN.recovery, unreadable: 'truncate' } };
    await withSystem(truncate, async (system) => {
      await loseHalf(system);
      await terminatedAfter('destroyQuarantine 1', system);
      const before = await pictureOf(system);
      system.faults.set('makeArchive 2', failed);
      expect(await recovered(system)).toMatch(/^stopped.*no quarantine is left/);
      expect(await pictureOf(system)).toEqual(before);
      expect(await recovered(system)).toBe('completed');
    });
  });

  it('a no to it changes nothing, and says that the key is kept', async () => {
    await withSystem(GIVEN, async (system) => {
      await loseHalf(system);
      await terminatedAfter('recoverRows 1', system);
      const before = await pictureOf(system);
      const second = await stage.start(system);
      await stage.reject(second, 'recover');
      expect(JSON.stringify(await second.result())).toMatch(/its key is kept/);
      expect(await pictureOf(system)).toEqual(before);
      expect(await recovered(system)).toBe('completed');
    });
  });
});

inDeep.it(
  'a run that is reset once credentials are entered again, and then fails, takes none from those who entered it',
  async () => {
    await withSystem(GIVEN, async (system) => {
      const lost = await loseHalf(system);
      const first = await stage.start(system);
      await stage.approve(first, 'recover');
      await stage.until(first, ({ gate }) => gate?.name === 'reentry');
      await enterAgain(system, lost.slice(0, 1));
      const before = await pictureOf(system);
      system.faults.set('runChecks 2', failed);
      const again = await stage.reset(first, 'recoverRows');
      const leave = attend(again);
      expect(await endOf(again)).toMatch(/^stopped.*this run was reset and has undone nothing/);
      await leave();
      expect(await pictureOf(system)).toEqual(before);
      expect(await quarantineOf(system)).toHaveLength(20);
    });
  },
);

describe('the new key is kept, and the run says so, when in the last moment', () => {
  it('a row is under it', async () => {
    await withSystem(GIVEN, async (system) => {
      const { faults, application } = system;
      await loseHalf(system);
      let fresh: string | undefined;
      faults.set('runChecks 1', () => {
        [fresh] = application.keys;
        return failed();
      });
      faults.set('discardKey 1', async (_, body) => {
        await application.write('written under the new key', fresh);
        return await body();
      });
      expect(await recovered(system)).toMatch(/^stopped.*: 1 row\(s\) of/);
      expect((await pictureOf(system)).files).toContain('.env.keyturn');
    });
  });

  inDeep.it('rows are in its quarantine', async () => {
    await withSystem(GIVEN, async (system) => {
      await lose(system, [...system.application.truth.keys()]);
      system.faults.set('undoRecovery 1', () => Promise.resolve({ summary: 'not done' }));
      system.faults.set('runChecks 1', failed);
      expect(await recovered(system)).toMatch(/^stopped.*40 row\(s\) .*_quarantine_/);
      expect((await pictureOf(system)).files).toContain('.env.keyturn');
      system.faults.clear();
      expect(await recovered(system)).toBe('completed');
    });
  });
});

inDeep.it(
  'a service that cannot be stopped, and writes under the new key until it is deployed again: its row comes back too',
  async () => {
    await withSystem({ ...GIVEN, runsOn: true }, async (system) => {
      const { faults, application } = system;
      await loseHalf(system);
      const before = await pictureOf(system);
      let fresh: string | undefined;
      faults.set('runChecks 1', () => {
        [fresh] = application.keys;
        return failed();
      });
      faults.set('deployService 2', async (_, body) => {
        const said = await body();
        await application.write('written under the new key', fresh);
        return said;
      });
      expect(await recovered(system)).toMatch(/^rolled-back/);
      expect(await pictureOf(system)).toEqual({ ...before, underOld: before.underOld + 1 });
    });
  },
);

const ASLEEP: [string, RegExp][] = [
  ['before it has asked the server anything', /[^]/],
  ['with the tables locked', /UPDATE ONLY/],
];
it.each(sampled(ASLEEP, 1))('a lost attempt that wakes up when all is undone writes nothing: %s', async (_, at) => {
  await withSystem(GIVEN, async (system) => {
    const { proxy, url } = await StallingProxy.to(system.database.url);
    try {
      await loseHalf(system);
      const before = await pictureOf(system);
      (system.variables as Record<string, string>)['ADMIN'] = url;
      let zombie: Promise<unknown> = Promise.resolve();
      system.faults.set('recoverRows 1', async (__, body) => {
        const sleeping = proxy.stallAt(at);
        zombie = body().catch((error: unknown) => error);
        await sleeping;
        return failed();
      });
      expect(await recovered(system)).toMatch(/^rolled-back/);
      proxy.wake();
      await zombie;
      expect(await pictureOf(system)).toEqual(before);
      expect(await quarantineOf(system)).toEqual([]);
    } finally {
      await proxy.close();
    }
  });
});

inDeep.it('rows are taken back once, while nobody runs, and that may take as long as the way there', async () => {
  await withSystem(GIVEN, async (system) => {
    await loseHalf(system);
    const before = await pictureOf(system);
    const running: boolean[] = [];
    const look = async (_: number, body: () => Promise<unknown>): Promise<unknown> => {
      running.push(system.application.running);
      return await body();
    };
    system.faults.set('undoRecovery 1', look);
    system.faults.set('undoRecovery 2', look);
    system.faults.set('runChecks 1', failed);
    expect(await recovered(system)).toMatch(/^rolled-back/);
    expect(await pictureOf(system)).toEqual(before);
    expect(running).toEqual([false]);
    const handle = stage.runIn(system, 'production');
    expect(await limitsOf(handle, 'undoRecovery')).toEqual(await limitsOf(handle, 'recoverRows'));
  });
});
