/** What reads text from outside must need a time that grows with its length, whatever it looks like: a worker has one thread. */
import { describe, expect, test } from 'vitest';
import { cleanLines } from '../../src/processes/masks.js';
import { oneLine } from '../../src/processes/safe-text.js';
import { AWKWARD } from '../support/awkward-texts.js';

const ignoring = (read: () => unknown): void => {
  try {
    read();
  } catch {
    // It may refuse; it may not take long over it.
  }
};

type Read = (text: string) => unknown;

const READERS: [name: string, read: Read, bytes: number][] = [
  ['a mask', (text) => oneLine(text), 200_000],
  ['a mask of lines', (text) => cleanLines(text, new Map()), 200_000],
];

async function slow(
  make: (bytes: number) => string,
  bytes: number,
  read: (text: string) => unknown,
): Promise<string | null> {
  const time = async (size: number): Promise<number> => {
    const text = make(size);
    // Of the processor, which is what a busy machine does not lengthen.
    const start = process.cpuUsage();
    try {
      await read(text);
    } catch {
      // It may refuse; it may not take long over it.
    }
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1_000;
  };
  const whole = await time(bytes);
  // Fast enough to be no danger: no need to know how it grows.
  if (whole < 400) return null;
  const [half, again] = [await time(bytes / 2), await time(bytes)];
  return again > 4 * half || again > 20_000 ? `${Math.round(half)} ms, then ${Math.round(again)} ms` : null;
}

describe('the time grows with the text only, for', () => {
  test.each(READERS)('%s', async (_name, read, bytes) => {
    const bad: string[] = [];
    for (const piece of AWKWARD) {
      const found = await slow(
        (size) => piece.repeat(Math.ceil(size / piece.length)),
        bytes,
        (text) => {
          ignoring(() => read(text));
        },
      );
      if (found !== null) bad.push(`${JSON.stringify(piece)}: ${found}`);
    }
    expect(bad).toEqual([]);
  });
});
