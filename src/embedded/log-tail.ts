import { readFile } from 'node:fs/promises';
import { redact } from '../domain/secret-value.js';

/** The last lines of a program's log, without values; empty if there is none. For error messages. */
export async function logTail(file: string, lines = 20): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return redact(text.trimEnd().split('\n').slice(-lines).join('\n'));
}
