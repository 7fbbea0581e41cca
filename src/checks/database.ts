/** A check's or a revocation's connection: as databases/connection.ts, found by a reference of the inventory. */
import type pg from 'pg';
import { withConnection, type ConnectionOptions } from '../databases/connection.js';
import type { CredentialRef } from '../domain/specs/common.js';
import type { CheckContext } from './check.js';

export { firstValue, queryOne } from '../databases/connection.js';

/** @throws KeyturnError as withConnection; `credential-missing` from the context. */
export async function withDatabase<T>(
  database: CredentialRef,
  { signal, resolveCredential }: CheckContext,
  options: Omit<ConnectionOptions, 'signal'>,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const url = await resolveCredential(database);
  const target = { url, label: placeOf(database), node: null, database: null, login: null };
  return await withConnection(target, { ...options, signal }, work);
}

function placeOf(ref: CredentialRef): string {
  return 'env' in ref ? `variable ${ref.env}` : `file ${ref.file}`;
}
