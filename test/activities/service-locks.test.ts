/** Whose turn it is: asked of locks that a test holds in its hand, at times that nobody waits for. */
import { describe, expect, it } from 'vitest';
import { NotYet } from '../../src/activities/as-activity.js';
import { awaitServices, findAhead } from '../../src/activities/service-locks.js';
import { turnOf, type LockRecord, type ServiceLocks, type Waiting } from '../../src/domain/service-lock.js';

const HOLDER = { ref: 'shop/production/OTHER', workflowId: 'rotate:shop/production/OTHER', firstRunId: 'run' };

interface Standing {
  readonly held?: readonly string[];
  readonly waiting?: readonly Waiting[];
}

function locksOf({ held = [], waiting = [] }: Standing): {
  serviceLocks: ServiceLocks;
  findHolder: () => Promise<never>;
} {
  const latest = (thing: string): LockRecord => ({
    ...{ thing, runId: `lock of ${thing}`, held: held.includes(thing), since: '2026-01-01T00:00:00Z', holder: HOLDER },
  });
  return {
    serviceLocks: {
      latest: (thing) => Promise.resolve(latest(thing)),
      waiting: (things) => Promise.resolve(waiting.filter((one) => one.things.some((thing) => things.includes(thing)))),
      underWay: () => Promise.resolve([]),
      free: () => Promise.reject(new Error('it is held by somebody')),
    },
    findHolder: () => Promise.resolve({ workflowId: HOLDER.workflowId } as never),
  };
}

const secondsAgo = (seconds: number): string => turnOf('routine', 'forward', new Date(Date.now() - seconds * 1_000));
const waits = (workflowId: string, things: readonly string[], seconds: number): Waiting => ({
  ...{ workflowId, things, turn: secondsAgo(seconds) },
});
const wanted = { things: ['a'], workflowId: 'newcomer', turn: secondsAgo(0) };

describe('one that comes when a service is free', () => {
  it.each([
    ['goes on where nobody waits', {}, null],
    ['comes after one that waits for it', { waiting: [waits('older', ['a'], 5)] }, 'older'],
    [
      'comes before one that waits for another service as well, which is held',
      { held: ['b'], waiting: [waits('older', ['a', 'b'], 5)] },
      null,
    ],
    [
      'but not for ever: what it needs is kept free for it in the end',
      { held: ['b'], waiting: [waits('older', ['a', 'b'], 61)] },
      'older',
    ],
    [
      'comes after the next of them then',
      { held: ['b'], waiting: [waits('both', ['a', 'b'], 9), waits('older', ['a'], 5)] },
      'older',
    ],
    ['does not come after itself', { waiting: [waits('newcomer', ['a'], 5)] }, null],
  ] satisfies [string, Standing, string | null][])('%s', async (_, standing, ahead) => {
    expect(await findAhead(wanted, locksOf(standing))).toEqual({ ahead });
  });

  it('after a leak comes before all that wait for routine', async () => {
    const standing = locksOf({ waiting: [waits('older', ['a'], 500)] });
    const turn = turnOf('leak', 'forward', new Date());
    expect(await findAhead({ ...wanted, turn }, standing)).toEqual({ ahead: null });
  });
});

describe('one that waits', () => {
  const ask = { ...wanted, known: `lock of a`, tell: true };
  const attempt = async (
    standing: Standing,
    seconds: number,
    saved: unknown,
  ): Promise<{ answer: unknown; saved: unknown }> => {
    let state = saved;
    const tools = { saved, save: (next: unknown) => (state = next), sinceFirstAttempt: seconds * 1_000 };
    const answer = await awaitServices(ask, locksOf(standing), tools).catch((error: unknown) => error);
    return { answer, saved: state };
  };

  it('gives way to an older one for ten seconds, and then goes on', async () => {
    const standing = { waiting: [waits('older', ['a'], 5)] };
    const first = await attempt(standing, 0, undefined);
    expect(first.answer).toBeInstanceOf(NotYet);
    expect((await attempt(standing, 9, first.saved)).answer).toBeInstanceOf(NotYet);
    expect((await attempt(standing, 10, first.saved)).answer).toEqual({ heldBy: null });
  });

  it('gives way anew to the next one, after somebody has had it in between', async () => {
    const free = { waiting: [waits('older', ['a'], 5)] };
    const first = await attempt(free, 0, undefined);
    const held = await attempt({ held: ['a'] }, 8, first.saved);
    expect(held.answer).toBeInstanceOf(NotYet);
    expect((await attempt(free, 60, held.saved)).answer).toBeInstanceOf(NotYet);
  });
});
