/** Gives an existing role another password. */
import pg from 'pg';
import type { Effect } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { Server } from '../server.js';
import { isSendable, passwordClause, sentAs, type SentPassword } from './sent-password.js';

/**
 * Sessions that are open stay open; the next log-in needs the new password. Idempotent: the same verifier again changes nothing.
 * @param sent from sentPassword.
 * @throws KeyturnError as Server; `password-in-clear`; `query-failed` (42704) when there is no such role, with effect `none`.
 */
export async function setPassword(server: Server, role: string, sent: SentPassword): Promise<Evidence> {
  if (!isSendable(sent)) throw new TypeError('setPassword takes a SCRAM verifier, never a password');
  let effect: Effect = 'none';
  await server.asAdministrator(
    async (client) => {
      // A utility statement takes no parameters.
      const { first, clause } = passwordClause(client, sent);
      for (const setting of first) await client.query(setting);
      const statement = `ALTER ROLE ${pg.escapeIdentifier(role)} ${clause}`;
      const altering = client.query(statement);
      effect = 'unknown';
      await altering.catch((error: unknown) => {
        // The server has refused, and one statement alone is done whole or not at all. 57: it hung up, perhaps after the commit.
        if (error instanceof pg.DatabaseError && error.code?.startsWith('57') !== true) effect = 'none';
        throw error;
      });
      effect = 'applied';
    },
    { effect: () => effect },
  );
  return { summary: `role ${role} has its new password, ${sentAs(sent)}`, facts: { role } };
}
