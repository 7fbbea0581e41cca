import { setTimeout as takes } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Reencryptor } from '../../src/ciphers/cipher.js';
import { buildArray } from '../../src/reencryption/binary-array.js';
import { reencryptPages } from '../../src/reencryption/pipeline.js';
import type { RawPage } from '../../src/reencryption/read-pages.js';

const asTheyAre: Reencryptor = {
  reencrypt: ({ values }) => ({ states: values.map(() => 'old' as const), fresh: values }),
};

function pageOf(place: number): RawPage {
  const array = buildArray({ elementType: 25, elements: [Buffer.from(String(place))] });
  const none = { keys: [], places: null, associatedArray: null, associated: null };
  return { ...none, rows: 1, cursor: [String(place)], array, elementType: 25, values: [Buffer.from(String(place))] };
}

// eslint-disable-next-line @typescript-eslint/require-await -- what is read is asynchronous; here nothing is waited for
async function* pagesUpTo(count: number): AsyncGenerator<RawPage> {
  for (let place = 0; place < count; place += 1) yield pageOf(place);
}

test('pages are written one at a time and in order, however long each takes', async () => {
  const events: string[] = [];
  await reencryptPages(pagesUpTo(5), asTheyAre, async ({ cursor: [name = ''] }) => {
    events.push(`${name} begun`);
    await takes(10 - 2 * Number(name));
    events.push(`${name} done`);
  });
  expect(events).toEqual(['0', '1', '2', '3', '4'].flatMap((name) => [`${name} begun`, `${name} done`]));
});

test('after a write that failed no later page is written, and its failure is the one that is told', async () => {
  const written: string[] = [];
  const done = reencryptPages(pagesUpTo(9), asTheyAre, async ({ cursor: [name = ''] }) => {
    await takes(5);
    if (name === '2') throw new Error('page 2');
    written.push(name);
  });
  await expect(done).rejects.toThrow('page 2');
  expect(written).toEqual(['0', '1']);
});

test('a page that cannot be re-encrypted stops it once the writes before it have ended', async () => {
  const written: string[] = [];
  let pages = 0;
  const failing: Reencryptor = {
    reencrypt(page) {
      pages += 1;
      if (pages === 3) throw new Error('page 2');
      return asTheyAre.reencrypt(page);
    },
  };
  const done = reencryptPages(pagesUpTo(9), failing, async ({ cursor: [name = ''] }) => {
    await takes(20);
    written.push(name);
  });
  await expect(done).rejects.toThrow('page 2');
  expect(written).toEqual(['0', '1']);
});
