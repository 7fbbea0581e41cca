/** What an inventory says about a PostgreSQL server. */
import { z } from 'zod';
import { credentialRef, name, text } from './common.js';

export const databaseSpec = z.strictObject({
  /**
   * An administrator's URL for a direct connection to the primary: a pooler in between would hide who is connected. Tables, and SQL
   * of the inventory, are reached by a login that it makes for a step, with the rights of the tables' owner; or the URL is of a login
   * that has rights on these tables and no others: then it is used as it is.
   */
  url: credentialRef,
  nodes: z
    .record(name, text)
    .optional()
    .describe('Replicas, name: HOST:PORT. A new log-in is proven on each, an old one ended and refused on each'),
});
export type DatabaseSpec = z.infer<typeof databaseSpec>;
