import type { CheckContext } from '../../src/checks/check.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';

/** A context whose credentials are variables of this object only. */
export function contextWith(
  variables: Readonly<Record<string, string>> = {},
  signal: AbortSignal = new AbortController().signal,
): CheckContext {
  return {
    signal,
    resolveCredential: (ref) => {
      const name = 'env' in ref ? ref.env : ref.file;
      const value = variables[name];
      if (value === undefined) {
        return Promise.reject(new KeyturnError('credential-missing', `variable ${name} is not set`));
      }
      return Promise.resolve(new SecretValue(value));
    },
  };
}

/** The KeyturnError that a promise rejects with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => new Error('expected a failure'),
    (reason: unknown) => reason,
  );
  if (error instanceof KeyturnError) return error;
  throw error;
}
