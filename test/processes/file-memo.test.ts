import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { FileMemo } from '../../src/processes/file-memo.js';

const directory = mkdtempSync(join(tmpdir(), 'keyturn-memo-'));
const file = join(directory, 'file');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made: number;
beforeEach(() => {
  made = 0;
  writeFileSync(file, 'one');
});

/** Whatever was written before this is older than what is read after it. */
async function aMomentLater(): Promise<void> {
  const now = Date.now();
  await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(now + 1);
}

function ask(memo: FileMemo<string, number>, paths: readonly string[] = [file]): Promise<number> {
  return memo.get('key', () => {
    made += 1;
    return Promise.resolve({ value: made, paths });
  });
}

test('what did not change is made once', async () => {
  const memo = new FileMemo<string, number>(10, 0);
  await aMomentLater();
  expect([await ask(memo), await ask(memo), await ask(memo)]).toEqual([1, 1, 1]);
});

test('asked by a hundred at once, it is made once', async () => {
  const memo = new FileMemo<string, number>(10, 0);
  await aMomentLater();
  expect(new Set(await Promise.all(Array.from({ length: 100 }, () => ask(memo))))).toEqual(new Set([1]));
  expect(made).toBe(1);
});

test('what changed a moment ago may change again unseen, and is made anew', async () => {
  const memo = new FileMemo<string, number>(10);
  await aMomentLater();
  expect([await ask(memo), await ask(memo)]).toEqual([1, 2]);
});

const changes: [string, () => void][] = [
  ['edited in place, its length and its modification time as before', () => rewriteUnseen()],
  ['replaced by another one', () => replace()],
  ['removed', () => unlinkSync(file)],
];
test.for(changes)('a file that was %s is seen to have changed', async ([, change], { expect: claim }) => {
  const memo = new FileMemo<string, number>(10, 0);
  await aMomentLater();
  await ask(memo);
  change();
  await aMomentLater();
  claim([await ask(memo), await ask(memo)]).toEqual([2, 2]);
});

test('a file that was not there, and a link that leads elsewhere, are seen', async () => {
  const [absent, link] = [join(directory, 'absent'), join(directory, 'link')];
  symlinkSync(file, link);
  const memo = new FileMemo<string, number>(10, 0);
  await aMomentLater();
  await ask(memo, [absent, link]);
  writeFileSync(absent, '');
  await aMomentLater();
  expect(await ask(memo, [absent, link])).toBe(2);
  unlinkSync(link);
  symlinkSync(absent, link);
  expect(await ask(memo, [absent, link])).toBe(3);
});

test('what could not be made is not kept, and the entries are bounded', async () => {
  const memo = new FileMemo<string, number>(1, 0);
  await aMomentLater();
  await expect(memo.get('key', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await ask(memo)).toBe(1);
  await memo.get('other', () => Promise.resolve({ value: 0, paths: [file] }));
  expect(await ask(memo)).toBe(2);
});

function rewriteUnseen(): void {
  writeFileSync(file, 'two');
  utimesSync(file, 1, 1);
}

function replace(): void {
  writeFileSync(`${file}.new`, 'two');
  renameSync(`${file}.new`, file);
}
