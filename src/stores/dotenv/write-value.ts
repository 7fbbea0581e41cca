/** One variable given another value, in the first way of writing that every program reads back identically. */
import { KeyturnError } from '../../domain/errors.js';
import { problemWithChange } from './agreement.js';
import { replaceRaw } from './document.js';
import { findVariable, type EnvFile, type VariableKind } from './env-file.js';
import { waysToWrite } from './quoting.js';

export function writeValue(
  file: EnvFile,
  key: string,
  value: string,
  original: { raw: string; value: string } | null,
  kind: VariableKind = 'secret',
): string {
  const variable = findVariable(file, key, kind);
  if (!variable) throw new KeyturnError('not-found', `${file.target.path} has no ${key}`);
  // Nothing to say, nothing to change: not even the quotes.
  if (variable.value === value) return file.text;
  const ways = waysToWrite(value, variable.assignment.style);
  // The value from before the rotation goes back in the very characters in which it stood there.
  return firstGood(file, key, value, value === original?.value ? withOriginal(ways, original) : ways, (raw) =>
    replaceRaw(file.text, variable.assignment, raw),
  );
}

export function withOriginal(ways: readonly string[], original: { readonly raw: string } | null): readonly string[] {
  return original ? [original.raw, ...ways] : ways;
}

export function firstGood(
  file: EnvFile,
  key: string,
  value: string,
  ways: readonly string[],
  change: (raw: string) => string,
): string {
  let problem = 'no way of quoting carries it';
  for (const raw of ways) {
    const text = change(raw);
    const found = problemWithChange(file.text, text, new Map([[key, value]]), file.audience);
    if (found === undefined) return text;
    problem = found;
  }
  throw new KeyturnError(
    'unrepresentable',
    `${file.target.path}: a value of ${key} cannot be written for every program: ${problem}`,
    {
      hint: 'values made by hex:N, base64url:N or base64:N can be written everywhere; fewer readers: at the store can take more',
    },
  );
}
