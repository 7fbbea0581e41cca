/** One file of a directory of secrets: its bytes, and the value that every program takes from it. */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyturnError } from '../../domain/errors.js';
import { SecretValue } from '../../domain/secret-value.js';
import { assertPlaintext } from '../files/encrypted-text.js';
import { errorCode, fileError } from '../files/file-errors.js';
import { resolveTarget, type Target } from '../files/replaceable.js';

export interface SecretFile {
  readonly target: Target;
  readonly bytes: Buffer;
  readonly text: string;
}

/** @returns null where there is none. @throws KeyturnError `malformed`, `not-writable` for a link out of the directory. */
export async function readSecretFile(directory: string, name: string): Promise<SecretFile | null> {
  assertFileName(name);
  const path = join(directory, name);
  try {
    await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw fileError(error, `read ${path}`);
  }
  const target = await resolveTarget(path, directory);
  const bytes = await readFile(target.path).catch((error: unknown) => {
    throw fileError(error, `read ${target.path}`);
  });
  const text = decode(bytes, target.path);
  assertPlaintext(text, target.path);
  return { target, bytes, text };
}

/** @throws KeyturnError `malformed` for what would lead out of the directory. */
export function assertFileName(name: string): void {
  if (name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)) return;
  throw new KeyturnError('malformed', `"${name}" is not the name of a file in a directory of secrets`, {
    hint: 'the key is the name alone, such as secret_key',
  });
}

/**
 * Compose and Swarm hand over the exact bytes; applications strip white space at both ends (pydantic, document 004), or do not;
 * Python's text mode turns a carriage return into a line feed; a shell's `$(cat FILE)` drops NUL. A value is one that all take alike.
 * @returns what is wrong, without the value; undefined: nothing.
 */
export function problemWithText(text: string): string | undefined {
  if (text.endsWith('\n'))
    return 'ends in a line feed, which some readers strip and others take for a part of the value';
  if (text !== text.trim()) return 'begins or ends with white space, which some readers strip and others do not';
  // Control characters other than tab and line feed, and halves of surrogate pairs.
  if (/[^\P{Cc}\t\n]/u.test(text) || /\p{Surrogate}/u.test(text)) return 'has characters that not every reader keeps';
  return undefined;
}

/**
 * The value of the file as a whole; around a part, whatever stands there stays and need not be the same to all.
 * @throws KeyturnError `malformed` for a value that programs read differently: nobody can tell which of the two is in use.
 */
export function assertOneReading({ target, text }: SecretFile): void {
  const problem = problemWithText(text);
  if (problem === undefined) return;
  throw new KeyturnError('malformed', `${target.path} ${problem}`, {
    hint: text.endsWith('\n')
      ? `if the application strips it, take it away: truncate -s -1 ${target.path}`
      : 'write the value alone into the file: printf %s, not echo',
  });
}

/** Known to `redact` from now on. @param kind a user's name is part of a credential, and no secret. */
export function meet(text: string, kind: 'secret' | 'name'): void {
  if (kind === 'secret' && text !== '') new SecretValue(text);
}

function decode(bytes: Buffer, path: string): string {
  try {
    // A byte-order mark stays: it is one of the bytes.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new KeyturnError('malformed', `${path} is not UTF-8`, {
      hint: 'Keyturn rotates text; keep binary keys as hex or base64',
    });
  }
}
