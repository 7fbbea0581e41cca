import { expect, test } from 'vitest';
import { SharedLooks } from '../../src/processes/shared-looks.js';

/** Looks that end when they are told to. */
function world() {
  const looks = new SharedLooks<string, number>();
  const ends: (() => void)[] = [];
  let begun = 0;
  const look = (): Promise<number> => {
    begun += 1;
    const mine = begun;
    return new Promise((resolve) => ends.push(() => resolve(mine)));
  };
  return { ask: (key = 'one') => looks.ask(key, look), begun: () => begun, end: () => ends.shift()?.(), looks };
}

test('who asks while one looks shares the next look, which begins after he asked', async () => {
  const { ask, begun, end } = world();
  const first = ask();
  const rest = [ask(), ask(), ask()];
  expect(begun()).toBe(1);
  end();
  expect(await first).toBe(1);
  await expect.poll(begun).toBe(2);
  end();
  expect(await Promise.all(rest)).toEqual([2, 2, 2]);
  const later = ask();
  end();
  expect(await later).toBe(3);
});

test('another question waits for nobody', async () => {
  const { ask, begun, end } = world();
  const both = [ask('one'), ask('other')];
  expect(begun()).toBe(2);
  end();
  end();
  expect(await Promise.all(both)).toEqual([1, 2]);
});

test('a look that fails fails for those who share it, and the next one is made all the same', async () => {
  const looks = new SharedLooks<string, number>();
  let begun = 0;
  const look = (): Promise<number> => {
    begun += 1;
    return begun < 3 ? Promise.reject(new Error(`look ${begun}`)) : Promise.resolve(begun);
  };
  const asked = [looks.ask('one', look), looks.ask('one', look), looks.ask('one', look)];
  const answers = await Promise.allSettled(asked);
  expect(answers.map((answer) => (answer.status === 'rejected' ? String(answer.reason) : answer.value))).toEqual([
    'Error: look 1',
    'Error: look 2',
    'Error: look 2',
  ]);
  expect(await looks.ask('one', look)).toBe(3);
});
