/** Whether the server takes a password as a verifier: password checks such as credcheck may want to see it in clear. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import { SecretValue } from '../../domain/secret-value.js';
import { oneLine } from '../../processes/safe-text.js';
import type { Server } from '../server.js';
import { scramVerifier } from './scram.js';

/** By a role that is never committed. @throws KeyturnError `verifier-refused`; and as Server. */
export async function demandVerifierTaken(server: Server): Promise<void> {
  const role = `keyturn_trial_${randomBytes(6).toString('hex')}`;
  const verifier = scramVerifier(new SecretValue(randomBytes(24).toString('base64url')), role);
  await server.asAdministrator(async (client) => {
    await client.query('BEGIN');
    try {
      await client.query(`CREATE ROLE ${pg.escapeIdentifier(role)} LOGIN PASSWORD ${pg.escapeLiteral(verifier)}`);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || /^(?:08|40|53|57|55P03)/.test(error.code ?? '')) throw error;
      // The server's own words: of a password that nobody has, sent as a verifier.
      const said = oneLine(error.message.replaceAll(verifier, '…'), 160);
      throw new KeyturnError(
        'verifier-refused',
        `the server refuses a role whose password comes as a SCRAM verifier: ${said}`,
        {
          hint: 'let its password check take verifiers (credcheck.encrypted_password_allowed = on), or the administrator give roles passwords (rds_password)',
        },
      );
    } finally {
      await client.query('ROLLBACK').catch(() => undefined);
    }
  });
}
