/** What reads a text from outside must need a time that grows with its length, whatever it looks like: a worker has one thread. */
import { describe, expect, test } from 'vitest';
import { looksSecret } from '../../src/domain/secret-looking.js';
import { readYaml } from '../../src/inventory/yaml-source.js';
import { assignments } from '../../src/processes/env-assignments.js';
import { textsOfEnvFile, textsOfSecretFile, textsOfSidecar } from '../../src/processes/hidden-texts.js';
import { parseEnvText } from '../../src/stores/dotenv/document.js';
import { assertBounded } from '../../src/stores/dotenv/env-file.js';
import { bash } from '../../src/stores/dotenv/readers/bash.js';
import { compose } from '../../src/stores/dotenv/readers/compose.js';
import { npmDotenv } from '../../src/stores/dotenv/readers/npm-dotenv.js';
import { pythonDotenv } from '../../src/stores/dotenv/readers/python-dotenv.js';
import { raw } from '../../src/stores/dotenv/readers/raw.js';
import type { EnvReader } from '../../src/stores/dotenv/readers/reader.js';
import { AWKWARD } from '../support/awkward-texts.js';

const SMALL = 32_768;
const LARGE = 4 * SMALL;
/** Below, a text is no danger to a worker's heartbeat, and how it grows cannot be told from chance. */
const FLOOR_MS = 100;
/** Four times for what is linear, sixteen for what is quadratic. */
const MOST = 10;

type Read = (text: string) => unknown;

/** It makes an object of every token: a fraction of the text shows as much. */
const yaml =
  (make: (text: string) => string): Read =>
  (text) =>
    readYaml(make(text.slice(0, text.length / 4)));

const READERS: readonly (readonly [name: string, read: Read])[] = [
  ['the look for secrets', looksSecret],
  ['YAML', yaml((text) => text)],
  ['YAML in lines', yaml((text) => inLines(text, ''))],
  ['YAML in a comment', yaml((text) => `a: 1 # ${text.replaceAll('\n', ' ')}\n`)],
  ['YAML in a block', yaml((text) => `a: |\n  ${inLines(text, '  ')}\n`)],
  ['YAML in quotes', yaml((text) => `a: "${inLines(text.replaceAll('"', ''), '  ')}"\n`)],
  ['the names that an env file sets', assignments],
  ['the hidden texts of an env file', textsOfEnvFile],
  ['the hidden texts of an env variable', (text) => textsOfEnvFile(`A=${text}`)],
  ['the hidden texts of a file of secrets', (text) => textsOfSecretFile('a', text)],
  ['the hidden texts of a sidecar', textsOfSidecar],
  [
    'the hidden texts of what a sidecar keeps',
    (text) => textsOfSidecar(JSON.stringify({ entries: { a: { key: 'a', old: text, original: { raw: text } } } })),
  ],
  ['an env file', parseEnvText],
  ...[bash, compose, npmDotenv, pythonDotenv, raw].map((reader) => [reader.name, bounded(reader)] as const),
];

describe('the time grows with the text only, for', () => {
  test.each(READERS)('%s', (_name, read) => {
    const bad = AWKWARD.flatMap((piece) => {
      const text = (bytes: number): string => piece.repeat(Math.ceil(bytes / piece.length));
      const found = growth(text(SMALL), text(LARGE), read);
      return found === null ? [] : [`${JSON.stringify(piece)}: ${found}`];
    });
    expect(bad).toEqual([]);
  });
});

/** As they are asked: a file that is beyond its bounds is not shown to them. */
function bounded({ read }: EnvReader): Read {
  return (text) => {
    assertBounded(text, '.env');
    return read(text);
  };
}

/** So that it is parsed, and not refused for its length. */
function inLines(text: string, indent: string): string {
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += 4_000) lines.push(text.slice(at, at + 4_000));
  return lines.join(`\n${indent}`);
}

/** @returns the milliseconds for both when the larger one takes far more than its share; null otherwise. */
function growth(small: string, large: string, read: Read): string | null {
  let [few, many] = [Infinity, Infinity];
  // The best of three, since a busy machine makes single ones longer.
  for (let round = 0; round < 3; round++) {
    many = Math.min(
      many,
      processorMs(() => read(large)),
    );
    if (many < FLOOR_MS) return null;
    few = Math.min(
      few,
      processorMs(() => read(small)),
    );
    if (many <= MOST * few) return null;
  }
  return `${Math.round(few)} ms, then ${Math.round(many)} ms`;
}

function processorMs(act: () => unknown): number {
  const before = process.cpuUsage();
  try {
    act();
  } catch {
    // It may refuse; it may not take long over it.
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test.each([
  ['brackets', '{"a":'.repeat(1_500)],
  ['brackets over lines', 'a: [\n'.repeat(3_000)],
  ['a list of lists', `${'- '.repeat(3_000)}a`],
  ['a mapping of mappings', `${'? '.repeat(3_000)}a`],
])('%s in each other are refused before the parser, which would end the process, sees them', (_name, text) => {
  expect(readYaml(text).problems).toMatchObject([{ message: 'this is nested too deeply' }]);
});

test('a line of YAML that no person wrote is refused with its number', () => {
  const { problems } = readYaml(`a: 1\nb: ${'x'.repeat(20_000)}\n`);
  expect(problems).toMatchObject([{ line: 2, message: 'this line is longer than 10000 characters' }]);
});

test('the values in JSON are hidden at any depth', () => {
  const deep = 20_000;
  const text = `A='${'[{"a":'.repeat(deep)}"s3cret-value"${'}]'.repeat(deep)}'`;
  expect(textsOfEnvFile(text)).toContain('s3cret-value');
});
