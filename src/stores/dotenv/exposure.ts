/**
 * What an env file shows the application, and how it looks under each arrangement (versions/arrangements.ts says which those
 * are). Everything but the variable's value stays, and the second variable's line: under `new only` it goes if Keyturn added it.
 */
import { KeyturnError } from '../../domain/errors.js';
import type { Arrangement } from '../../domain/slot.js';
import {
  arrangementOf,
  assertShowable,
  assertTwoNames,
  secondName,
  secondWith,
  shownIn,
  wantedFor,
  wholeWith,
  type Second,
  type Shown,
  type ShownPlace,
} from '../versions/arrangements.js';
import type { Entry } from '../versions/sidecar.js';
import { problemWithChange } from './agreement.js';
import { insertBelow, removeLine } from './document.js';
import { findVariable, requireVariable, withText, type EnvFile, type Variable } from './env-file.js';
import { readPair, writePair } from './pair.js';
import { waysToWrite } from './quoting.js';
import { firstGood, withOriginal, writeValue } from './write-value.js';

/** @throws KeyturnError `not-found`, `malformed`. */
export function readShown(file: EnvFile, place: ShownPlace): Shown {
  assertTwoNames(place);
  const second = secondName(place.exposure);
  if (place.exposure.style === 'pair')
    return { values: [readPair(file, place.key, place.exposure.variable)], second: undefined };
  const whole = requireVariable(file, place.key).value;
  return shownIn(place, whole, second === undefined ? undefined : findVariable(file, second)?.value);
}

/**
 * The file's text under an arrangement.
 * @throws KeyturnError `unrepresentable` when no way of writing it reads back identically everywhere.
 */
export function applyArrangement(file: EnvFile, entry: Entry, arrangement: Arrangement): string {
  assertShowable(entry, arrangement);
  const text =
    entry.exposure.style === 'pair' ? writePair(file, entry, arrangement) : writeValues(file, entry, arrangement);
  if (arrangementOf(readShown(withText(file, text), entry), entry) === arrangement) return text;
  throw new KeyturnError(
    'unrepresentable',
    `${file.target.path}: "${arrangement}" of ${entry.key} does not read back as written`,
  );
}

function writeValues(file: EnvFile, entry: Entry, arrangement: Arrangement): string {
  const wanted = wantedFor(entry, arrangement);
  const whole = wholeWith(entry, requireVariable(file, entry.key).value, wanted.values);
  const main = writeValue(file, entry.key, whole, entry.original);
  return writeSecond(withText(file, main), entry, wanted.second);
}

function writeSecond(file: EnvFile, entry: Entry, wanted: Second): string {
  const { exposure } = entry;
  if (exposure.style !== 'previous') return file.text;
  const existing = findVariable(file, exposure.variable);
  const main = requireVariable(file, entry.key);
  const value = secondWith(entry, main.value, wanted);
  if (value === null) return existing ? withoutLine(file, existing, main) : file.text;
  if (existing) return writeValue(file, exposure.variable, value, entry.second);
  const ways = waysToWrite(value, main.assignment.style);
  return firstGood(
    file,
    exposure.variable,
    value,
    wanted.kind === 'as before' ? withOriginal(ways, entry.second) : ways,
    (raw) => insertBelow(file.text, main.assignment, exposure.variable, raw),
  );
}

function withoutLine(file: EnvFile, { assignment }: Variable, main: Variable): string {
  const text = removeLine(file.text, assignment);
  const expected = new Map<string, string | null>([
    [assignment.key, null],
    [main.assignment.key, main.value],
  ]);
  const problem = problemWithChange(file.text, text, expected, file.audience);
  if (problem === undefined) return text;
  throw new KeyturnError(
    'malformed',
    `${file.target.path}:${assignment.line}: the line cannot be taken out: ${problem}`,
  );
}
