/** Whoever is still on the old role when its time is up is named, and nothing is taken from them until a person decides. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { ABORT, DROP_NOW, EXTEND } from '../../../src/domain/messages.js';
import { asBefore, differences, logIn } from './support/picture.js';
import type { Place } from './support/place.js';
import { carriedOut, type Ended } from './support/runs.js';
import { KEEPS, OBSERVES } from './support/scenarios.js';
import { Stage } from './support/stage.js';
import type { Given, System } from './support/system.js';
import { sampled } from '../../support/sample.js';
import { inDeep } from '../../support/deep.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const STRATEGIES: Given[] = [
  { strategy: 'copy' },
  { strategy: 'group', origin: 'own rights' },
  { strategy: 'group', origin: 'member of a group' },
];

/** In a transaction on the old role, from before the swap. */
class Straggler {
  private constructor(private readonly client: pg.Client) {}

  static async at({ old }: Place): Promise<Straggler> {
    const client = new pg.Client({ connectionString: old.url, application_name: 'nightly-report' });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`BEGIN; INSERT INTO app.orders (total, note) VALUES (7, 'of the night')`);
    return new Straggler(client);
  }

  /** What it is in the middle of still goes through. */
  async finish(): Promise<void> {
    await this.client.query('COMMIT');
    await this.leave();
  }

  async isEnded(): Promise<boolean> {
    return await this.client.query('SELECT 1').then(
      () => false,
      () => true,
    );
  }

  async leave(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}

async function withStraggler(
  given: Given,
  decide: (straggler: Straggler, handle: WorkflowHandle, system: System) => Promise<void>,
): Promise<Ended> {
  let straggler: Straggler | undefined;
  try {
    return await carriedOut(
      stage,
      { delay: '6s', ...given },
      {
        meanwhile: async (system, handle) => {
          // Not before: a copy of a policy waits for whoever is at work on its table.
          await stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(KEEPS));
          straggler = await Straggler.at(system.place);
          const status = await stage.until(handle, ({ gate }) => gate?.name === 'stragglers');
          const named = `nightly-report`;
          expect(status.gate?.question).toContain(named);
          expect(status.gate?.question).toContain('127.0.0.1');
          expect(status.gate?.question).toContain('idle in transaction');
          expect(status.steps.find(({ name }) => name.startsWith('See that nobody'))?.seen?.join()).toContain(named);
          expect(status.steering).toEqual([EXTEND, ABORT]);
          // Nothing is taken from it: it may log in, and what it has open goes on.
          expect(await logIn(system.place.old.url)).toBe('in');
          expect(await straggler.isEnded()).toBe(false);
          await decide(straggler, handle, system);
        },
      },
    );
  } finally {
    await straggler?.leave();
  }
}

describe.concurrent.each(sampled(STRATEGIES, 1))(
  'a session left open on the old role ($strategy, $origin)',
  (given) => {
    it('approved: it is ended, and the role is dropped', async () => {
      const run = await withStraggler(given, async (straggler, handle) => {
        await stage.approve(handle, 'stragglers');
        await handle.result();
        expect(await straggler.isEnded()).toBe(true);
      });
      expect(run.outcome).toBe('completed');
      expect(run.after.logins['OLD OLD-PASSWORD']).toBe('28P01');
    });

    it('aborted: everything goes back, and it goes on', async () => {
      const run = await withStraggler(given, async (straggler, handle) => {
        await stage.steer(handle, 'update', ABORT);
        await handle.result();
        await straggler.finish();
      });
      expect(run.outcome).toBe('aborted');
      expect(differences(asBefore(run.before, run.after), run.after)).toEqual([]);
    });
  },
);

describe.concurrent('a session left open on the old role', () => {
  inDeep.it('rejected: everything goes back', async () => {
    const run = await withStraggler({ strategy: 'copy' }, async (straggler, handle) => {
      await stage.reject(handle, 'stragglers');
      await handle.result();
      await straggler.finish();
    });
    expect(run.outcome).toBe('rejected');
    expect(differences(asBefore(run.before, run.after), run.after)).toEqual([]);
  });

  it('leaves by itself: the question is taken back, and the run goes on without a decision', async () => {
    const run = await withStraggler({ strategy: 'copy' }, async (straggler) => {
      await straggler.finish();
    });
    expect(run.outcome).toBe('completed');
  });

  inDeep.it.each(sampled(['update', 'signal'] as const, 1))(
    'extended by %s: it is waited on, and asked again',
    async (way) => {
      const run = await withStraggler({ strategy: 'copy' }, async (straggler, handle) => {
        await stage.steer(handle, way, EXTEND, { for: '6h' });
        const { wait } = await stage.until(handle, (status) => status.wait !== null);
        expect(Date.parse(wait?.until ?? '') - Date.now()).toBeGreaterThan(5.9 * 3_600_000);
        await stage.steer(handle, way, DROP_NOW);
        await stage.until(handle, ({ gate }) => gate?.name === 'stragglers');
        expect(await straggler.isEnded()).toBe(false);
        await straggler.finish();
      });
      expect(run.outcome).toBe('completed');
    },
  );
});

describe.concurrent('a log-in that is refused while it is watched', () => {
  const given: Given = { strategy: 'copy', observe: '6s' };
  const refused = async (handle: WorkflowHandle, { place }: System): Promise<void> => {
    await stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(OBSERVES));
    expect(await logIn(place.old.url)).toBe('28000');
    expect(await logIn(place.old.url)).toBe('28000');
    const { gate } = await stage.until(handle, (status) => status.gate?.name === 'rejected-logins');
    expect(gate?.question).toMatch(/2 rejected log-ins of place\d+_old from 127\.0\.0\.1; health well without it/);
  };

  inDeep.it('asks for a decision; approved: the role is dropped', async () => {
    const run = await carriedOut(stage, given, {
      meanwhile: async (system, handle) => {
        await refused(handle, system);
        await stage.approve(handle, 'rejected-logins');
      },
    });
    expect(run.outcome).toBe('completed');
    expect(run.after.logins['OLD OLD-PASSWORD']).toBe('28P01');
  });

  it('rejected: the old role may log in again, and everything goes back', async () => {
    const run = await carriedOut(stage, given, {
      meanwhile: async (system, handle) => {
        await refused(handle, system);
        await stage.reject(handle, 'rejected-logins');
      },
    });
    expect(run.outcome).toBe('rejected');
    expect(differences(asBefore(run.before, run.after), run.after)).toEqual([]);
  });
});
