/** Whether all readers of a dotenv file see the same value, and that a change touches nothing but what it means to. */
import { bash } from './readers/bash.js';
import { compose } from './readers/compose.js';
import { npmDotenv } from './readers/npm-dotenv.js';
import { pythonDotenv } from './readers/python-dotenv.js';
import type { EnvReader, FileReading } from './readers/reader.js';

export const READERS: readonly EnvReader[] = [compose, npmDotenv, pythonDotenv, bash];

/** `value`: what all of them read. `problem`: why they do not, without the value. */
export type Agreement = { readonly value: string } | { readonly problem: string };

export function readEverywhere(text: string, key: string): Agreement {
  const byValue = new Map<string, string[]>();
  for (const reader of READERS) {
    const file = reader.read(text);
    const reading = file.variables.get(key);
    if (file.brokenAt !== undefined) return { problem: `${reader.name} cannot read the file (line ${file.brokenAt})` };
    if (!reading) return { problem: `${reader.name} does not see it` };
    if (!reading.literal) return { problem: `${reader.name} would expand or unescape it` };
    byValue.set(reading.value, [...(byValue.get(reading.value) ?? []), reader.name]);
  }
  const [most, ...others] = [...byValue].sort(([, some], [, more]) => more.length - some.length);
  if (others.length === 0) return { value: most?.[0] ?? '' };
  return { problem: `${others.flatMap(([, names]) => names).join(' and ')} would read another value` };
}

/**
 * @param expected key → the value that every reader must see in `after`; null: the key must be gone.
 * @returns why the change is not good, or undefined. All other keys must read as in `before`, to each reader.
 */
export function problemWithChange(
  before: string,
  after: string,
  expected: ReadonlyMap<string, string | null>,
): string | undefined {
  for (const [key, value] of expected) {
    if (value === null) {
      const seeing = READERS.find((reader) => reader.read(after).variables.has(key));
      if (seeing) return `${seeing.name} would still see ${key}`;
      continue;
    }
    const agreement = readEverywhere(after, key);
    if ('problem' in agreement) return agreement.problem;
    if (agreement.value !== value) return 'it would read back as another value';
  }
  for (const reader of READERS) {
    if (others(reader.read(before), expected) !== others(reader.read(after), expected)) {
      return `${reader.name} would read other variables differently`;
    }
  }
  return undefined;
}

function others(file: FileReading, touched: ReadonlyMap<string, unknown>): string {
  return JSON.stringify([...file.variables].filter(([key]) => !touched.has(key)));
}
