/** Gives an existing role another password. */
import pg from 'pg';
import type { Effect } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import type { Server } from '../server.js';

/** What `scramVerifier` gives; anything else could be a plaintext, which the server would log. */
const VERIFIER = /^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$/;

/**
 * Sessions that are open stay open; the next log-in needs the new password. Idempotent: the same verifier again changes nothing.
 * @param verifier from scramVerifier.
 * @throws KeyturnError as Server; `query-failed` (42704) when there is no such role, with effect `none`.
 */
export async function setPassword(server: Server, role: string, verifier: string): Promise<Evidence> {
  if (!VERIFIER.test(verifier)) throw new TypeError('setPassword takes a SCRAM verifier, never a password');
  let effect: Effect = 'none';
  await server.asAdministrator(
    async (client) => {
      // A utility statement takes no parameters.
      const statement = `ALTER ROLE ${pg.escapeIdentifier(role)} PASSWORD ${pg.escapeLiteral(verifier)}`;
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
  return { summary: `role ${role} has its new password, sent as a SCRAM-SHA-256 verifier`, facts: { role } };
}
