/** One reading of an env file: its bytes, its text, and the value of a key as every program sees it. */
import { readFile } from 'node:fs/promises';
import { closest, distance } from 'fastest-levenshtein';
import { KeyturnError } from '../../domain/errors.js';
import { SecretValue } from '../../domain/secret-value.js';
import { assertPlaintext } from '../files/encrypted-text.js';
import { fileError } from '../files/file-errors.js';
import { resolveTarget, type Target } from '../files/replaceable.js';
import { readEverywhere, type Audience, type PassedOver } from './agreement.js';
import { parseEnvText, type Assignment } from './document.js';
import { referencesIn } from './references.js';

export interface EnvFile {
  readonly target: Target;
  readonly bytes: Buffer;
  readonly text: string;
  readonly assignments: readonly Assignment[];
  readonly audience: Audience;
}

export interface Variable {
  readonly assignment: Assignment;
  /** What all who read the file read. */
  readonly value: string;
  readonly passedOver: readonly PassedOver[];
}

/** A user's name is part of a credential, and no secret. */
export type VariableKind = 'secret' | 'name';

/** @throws KeyturnError `not-found`, `not-writable` (resolveTarget), `malformed` for a file that is not UTF-8. */
export async function readEnvFile(path: string, audience: Audience, root?: string): Promise<EnvFile> {
  const target = await resolveTarget(path, root);
  try {
    const bytes = await readFile(target.path);
    const text = decode(bytes, target.path);
    assertBounded(text, target.path);
    assertPlaintext(text, target.path);
    return { target, bytes, text, assignments: parseEnvText(text), audience };
  } catch (error) {
    throw fileError(error, `read ${target.path}`);
  }
}

const LARGEST_FILE = 1_048_576;
const LONGEST_LINE = 262_144;
const MOST_BLANKS = 1_000;
/** All that a pattern's \s is, the rare ones of Unicode too, and control characters, which other languages' spaces are among. */
const BLANK = /[\s\0-\x1f\x85]/;

/**
 * Other programs' grammars are taken over as they stand there, and some need time that grows with the square of the blanks in a row.
 * @throws KeyturnError `malformed` with the line.
 */
export function assertBounded(text: string, path: string): void {
  const refuse = (what: string, hint: string, at: number): never => {
    const line = text.slice(0, at).split('\n').length;
    throw new KeyturnError('malformed', `${path}:${line}: ${what}`, { hint });
  };
  if (text.length > LARGEST_FILE) refuse('the file is larger than any env file', 'is it the right file?', 0);
  let lineStart = 0;
  let blanks = 0;
  for (let at = 0; at < text.length; at += 1) {
    blanks = BLANK.test(text[at] ?? '') ? blanks + 1 : 0;
    if (text[at] === '\n') lineStart = at + 1;
    if (blanks > MOST_BLANKS) refuse(`more than ${MOST_BLANKS} blanks in a row`, 'take them out', at);
    if (at - lineStart > LONGEST_LINE) refuse('the line is longer than any variable', 'is it the right file?', at);
  }
}

export function withText(file: EnvFile, text: string): EnvFile {
  return { ...file, text, assignments: parseEnvText(text) };
}

/**
 * @param kind `name`: the value may be shown, so `redact` must not take it out of every message.
 * @returns undefined when the key does not occur.
 * @throws KeyturnError `malformed`, with line numbers: twice in the file, a form that not every program knows, or a value
 *   that programs read differently.
 */
export function findVariable(file: EnvFile, key: string, kind: VariableKind = 'secret'): Variable | undefined {
  const all = file.assignments.filter((assignment) => assignment.key === key);
  const [assignment, second] = all;
  if (!assignment) return undefined;
  const place = `${file.target.path}:${assignment.line}`;
  if (second) {
    const lines = all.map(({ line }) => line).join(', ');
    throw new KeyturnError('malformed', `${file.target.path}: ${key} stands on lines ${lines}`, {
      hint: 'keep one: programs disagree over which of them counts',
    });
  }
  if (assignment.form !== 'equals') {
    throw new KeyturnError('malformed', `${place}: ${key} has no "=": not every program reads that`, {
      hint: `write ${key}='…'`,
    });
  }
  const agreement = readEverywhere(file.text, key, file.audience, assignment.line);
  if ('problem' in agreement) throw disagreement(file, assignment, agreement.problem, agreement.line);
  if (kind === 'secret' && agreement.value !== '') new SecretValue(agreement.value);
  return { assignment, value: agreement.value, passedOver: agreement.passedOver };
}

/** @param at the line at fault, where it is another one than the key's. */
function disagreement(file: EnvFile, { key, line, raw }: Assignment, problem: string, at?: number): KeyturnError {
  const { path } = file.target;
  const [part] = referencesIn(raw.text);
  if (part !== undefined) {
    return new KeyturnError('malformed', `${path}:${line}: ${key} is put together from other variables ($${part})`, {
      hint: hintForComposed(raw.text, part),
    });
  }
  if (at !== undefined && at !== line) {
    const other = file.assignments.find((assignment) => assignment.line === at)?.key ?? 'what stands there';
    return new KeyturnError('malformed', `${path}:${at}: ${problem}, so it does not get ${key}`, {
      hint: `put ${other} in single quotes; or say who reads the file: readers: [compose] at the store, say`,
    });
  }
  return new KeyturnError('malformed', `${path}:${line}: programs read ${key} differently: ${problem}`, {
    hint: `write ${key}='…', without spaces around "=" and without references to other variables; or say who reads the file (readers: at the store)`,
  });
}

/** `postgres://app:${POSTGRES_PASSWORD}@db/app`: what is to be rotated is the variable that it contains. */
function hintForComposed(raw: string, part: string): string {
  const url = /:\/\/([^\s:/@]{1,100}):\$\{?(\w{1,100})[^@\s]{0,200}@/.exec(raw);
  const [, user = '', password = part] = url ?? [];
  if (!url) return `rotate ${part} instead, and name here what it is`;
  const [named] = referencesIn(user);
  return named === undefined
    ? `rotate ${password} instead: key: ${password}, swap: { strategy: same-role, credential: { in: password, user: ${user} } }; with the user in a variable too, credential: { in: variables, user: …, password: ${password} }`
    : `rotate its variables instead: swap: { credential: { in: variables, user: ${named}, password: ${password} } }`;
}

/** @throws KeyturnError `not-found` when the key is missing or empty; otherwise as findVariable. */
export function requireVariable(file: EnvFile, key: string, kind: VariableKind = 'secret'): Variable {
  const variable = findVariable(file, key, kind);
  if (variable && variable.value !== '') return variable;
  if (variable) throw new KeyturnError('not-found', `${file.target.path}:${variable.assignment.line}: ${key} is empty`);
  const near = closest(
    key,
    file.assignments.map((assignment) => assignment.key),
  );
  const similar = near && distance(near, key) <= 3 ? `did you mean ${near}?` : `add ${key}=… to the file`;
  throw new KeyturnError('not-found', `${file.target.path} has no ${key}`, { hint: similar });
}

function decode(bytes: Buffer, path: string): string {
  try {
    // The byte-order mark stays: it is one of the bytes to keep.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new KeyturnError('malformed', `${path}: line ${firstBadLine(bytes)} is not UTF-8`, {
      hint: 'python-dotenv and Docker Compose cannot read it either: save the file as UTF-8',
    });
  }
}

function firstBadLine(bytes: Buffer): number {
  let line = 1;
  for (const part of bytes.toString('latin1').split('\n')) {
    if (Buffer.from(part, 'latin1').toString('utf8').includes('\uFFFD')) return line;
    line += 1;
  }
  return line;
}
