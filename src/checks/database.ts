/** A check's or a revocation's connection: found by a reference of the inventory, as a login that has nothing to give. */
import type pg from 'pg';
import type { ConnectionOptions } from '../databases/connection.js';
import type { DatabaseRef } from '../domain/specs/database.js';
import type { CheckContext } from './check.js';

export { firstValue, queryOne } from '../databases/connection.js';

/** @throws KeyturnError as Server.asWorker; `credential-missing` from the context. */
export async function withDatabase<T>(
  database: DatabaseRef,
  { signal, serverOf }: CheckContext,
  options: Omit<ConnectionOptions, 'signal'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const server = await serverOf(database);
  return await server.asWorker(work, { ...options, signal });
}
