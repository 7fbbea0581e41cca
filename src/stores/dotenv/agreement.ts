/** Whether all who read a dotenv file see the same value, and that a change touches nothing but what it means to. */
import type { ReaderName } from '../../domain/specs/store.js';
import { bash } from './readers/bash.js';
import { compose } from './readers/compose.js';
import { npmDotenv } from './readers/npm-dotenv.js';
import { pythonDotenv } from './readers/python-dotenv.js';
import { raw } from './readers/raw.js';
import type { EnvReader, FileReading } from './readers/reader.js';

/** Any of them may read a file of which nothing is known. */
export const READERS: readonly EnvReader[] = [compose, npmDotenv, pythonDotenv, bash];

const BY_NAME: Readonly<Record<ReaderName, EnvReader>> = {
  compose,
  raw,
  bash,
  'python-dotenv': pythonDotenv,
  'npm-dotenv': npmDotenv,
};

export interface Audience {
  readonly readers: readonly EnvReader[];
  /** False: nobody has said who reads it. Where another line of the file stops bash, bash is then none of them. */
  readonly known: boolean;
}

export const EVERYBODY: Audience = { readers: READERS, known: true };

export function audienceOf(names: readonly ReaderName[] | undefined): Audience {
  return names ? { readers: names.map((name) => BY_NAME[name]), known: true } : { readers: READERS, known: false };
}

/** `value`: what all of them read. `problem`: why they do not, without the value; `line`: of the one at fault, where it is known. */
export type Agreement =
  | { readonly value: string; readonly passedOver: readonly PassedOver[] }
  | { readonly problem: string; readonly line?: number };

/** Who cannot read the file at all, and so does not. */
export interface PassedOver {
  readonly name: string;
  readonly line: number;
}

/** The file read last by each: a store's secrets are asked for one after the other, and all stand in one file. */
const lastRead = new WeakMap<EnvReader, { readonly text: string; readonly reading: FileReading }>();

function readAs(reader: EnvReader, text: string): FileReading {
  const last = lastRead.get(reader);
  if (last?.text === text) return last.reading;
  const reading = reader.read(text);
  lastRead.set(reader, { text, reading });
  return reading;
}

/** @param own the line on which the key stands. */
export function readEverywhere(text: string, key: string, audience: Audience = EVERYBODY, own?: number): Agreement {
  const byValue = new Map<string, string[]>();
  const passedOver: PassedOver[] = [];
  for (const reader of audience.readers) {
    const { variables, brokenAt } = readAs(reader, text);
    const reading = variables.get(key);
    const optional = reader === bash && !audience.known;
    // Bash has carried out the lines above the one that stops it.
    if (brokenAt !== undefined && !(optional && reading)) {
      if (!optional || brokenAt === own)
        return { problem: `${reader.name} cannot read line ${brokenAt}`, line: brokenAt };
      passedOver.push({ name: reader.name, line: brokenAt });
      continue;
    }
    if (!reading) return { problem: `${reader.name} does not see it` };
    if (!reading.literal) return { problem: `${reader.name} would expand or unescape it` };
    byValue.set(reading.value, [...(byValue.get(reading.value) ?? []), reader.name]);
  }
  const [most, ...others] = [...byValue].sort(([, some], [, more]) => more.length - some.length);
  if (others.length === 0) return { value: most?.[0] ?? '', passedOver };
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
  audience: Audience = EVERYBODY,
): string | undefined {
  for (const [key, value] of expected) {
    if (value === null) {
      const seeing = audience.readers.find((reader) => reader.read(after).variables.has(key));
      if (seeing) return `${seeing.name} would still see ${key}`;
      continue;
    }
    const agreement = readEverywhere(after, key, audience);
    if ('problem' in agreement) return agreement.problem;
    if (agreement.value !== value) return 'it would read back as another value';
  }
  for (const reader of audience.readers) {
    if (others(reader.read(before), expected) !== others(reader.read(after), expected)) {
      return `${reader.name} would read other variables differently`;
    }
  }
  return undefined;
}

function others({ variables, brokenAt }: FileReading, touched: ReadonlyMap<string, unknown>): string {
  return JSON.stringify([brokenAt !== undefined, ...[...variables].filter(([key]) => !touched.has(key))]);
}
