/** What an inventory says about a PostgreSQL server. */
import { z } from 'zod';
import { credentialRef, name, text, type CredentialRef } from './common.js';

export const databaseSpec = z.strictObject({
  /**
   * An administrator's URL for a direct connection to the primary: a pooler in between would hide who is connected. Tables, and SQL
   * of the inventory, are reached by a login that it makes for a step, with the rights of the tables' owner; or the URL is of a login
   * that has rights on these tables and no others: then it is used as it is.
   */
  url: credentialRef,
  tls: z
    .enum(['off', 'unverified'])
    .optional()
    .describe('Gives up TLS, or its certificate, on the way to another host; left out: both are demanded'),
  nodes: z
    .record(name, text)
    .optional()
    .describe('Replicas, name: HOST:PORT. A new log-in is proven on each, an old one ended and refused on each'),
});
export type DatabaseSpec = z.infer<typeof databaseSpec>;
export type TlsWord = Exclude<DatabaseSpec['tls'], undefined>;

/** In a plan: what leads to a server, and what the inventory says of the way. */
export type DatabaseRef = CredentialRef & { readonly tls?: TlsWord };
