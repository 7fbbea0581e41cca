import { afterAll } from 'vitest';
import type { CheckContext } from '../../src/checks/check.js';
import { Server } from '../../src/databases/server.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';
// Its databases go when the logins of these contexts are gone.
import '../support/servers.js';

const servers: Server[] = [];

afterAll(async () => {
  for (const server of servers.splice(0)) await server.close();
});

export function contextFrom(resolveCredential: CheckContext['resolveCredential'], signal: AbortSignal): CheckContext {
  const known = new Map<string, Server>();
  return {
    ...{ signal, resolveCredential },
    serverOf: async (ref) => {
      const administrator = await resolveCredential(ref);
      const label = `variable ${'env' in ref ? ref.env : ref.file}`;
      const server =
        known.get(label) ??
        new Server({ administrator, label, database: null, replicas: [], signal: new AbortController().signal });
      if (!known.has(label)) servers.push(server);
      known.set(label, server);
      return server;
    },
  };
}

/** A context whose credentials are variables of this object only. */
export function contextWith(
  variables: Readonly<Record<string, string>> = {},
  signal: AbortSignal = new AbortController().signal,
): CheckContext {
  const resolveCredential: CheckContext['resolveCredential'] = (ref) => {
    const name = 'env' in ref ? ref.env : ref.file;
    const value = variables[name];
    if (value === undefined) {
      return Promise.reject(new KeyturnError('credential-missing', `variable ${name} is not set`));
    }
    return Promise.resolve(new SecretValue(value));
  };
  return contextFrom(resolveCredential, signal);
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
