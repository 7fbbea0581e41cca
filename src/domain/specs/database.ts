/** What an inventory says about a PostgreSQL server. */
import { z } from 'zod';
import { credentialRef, name, text, type CredentialRef } from './common.js';

export const databaseSpec = z.strictObject({
  /** A direct connection: a pooler in between would hide who is connected. */
  url: credentialRef.describe(
    "An administrator's URL for a direct connection to the primary, in a variable or file of the worker: { env: SHOP_ADMIN_URL }. Tables, and SQL of the inventory, are reached by a login that it makes for a step, with the rights of the tables' owner. Or the URL of a login that has rights on these tables and nothing else: it is used as it is",
  ),
  tls: z
    .enum(['off', 'unverified'])
    .optional()
    .describe(
      'Gives up TLS (off) or the check of its certificate (unverified) on the way to another host. Left out: both are demanded there, whatever the URL leaves out',
    ),
  passwords: z
    .literal('plaintext')
    .optional()
    .describe(
      'Sends the passwords of new and changed roles in clear, for a server whose password check refuses SCRAM verifiers; over TLS with a verified certificate or on this machine only. What the server logs of statements then shows them: `keyturn plan` says what is set there. Left out: as SCRAM verifiers',
    ),
  nodes: z
    .record(name, text.describe('HOST:PORT of one replica'))
    .optional()
    .describe(
      'Replicas, as name: HOST:PORT. A new log-in is proven on each, an old one ended and refused on each; the administrator is the same',
    ),
});
export type DatabaseSpec = z.infer<typeof databaseSpec>;
export type TlsWord = Exclude<DatabaseSpec['tls'], undefined>;
export type PasswordsWord = Exclude<DatabaseSpec['passwords'], undefined>;

/** In a plan: what leads to a server, and what the inventory says of the way. */
export type DatabaseRef = CredentialRef & { readonly tls?: TlsWord; readonly passwords?: PasswordsWord };
