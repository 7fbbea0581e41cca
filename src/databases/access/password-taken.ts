/** Whether the server takes a password as it will be sent: password checks such as credcheck may want to see it in clear. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import type { SecretValue } from '../../domain/secret-value.js';
import { oneLine } from '../../processes/safe-text.js';
import type { Server } from '../server.js';
import { passwordClause, sentPassword, type SentPassword } from './sent-password.js';

/**
 * By a role that is never committed.
 * @param example made as the new password will be, and nobody's.
 * @throws KeyturnError `verifier-refused`, `password-refused`, `password-in-clear`; and as Server.
 */
export async function demandPasswordTaken(server: Server, example: SecretValue): Promise<void> {
  const role = `keyturn_trial_${randomBytes(6).toString('hex')}`;
  const sent = sentPassword(server.passwords, example, role);
  await server.asAdministrator(async (client) => {
    const { first, clause } = passwordClause(client, sent);
    await client.query('BEGIN');
    try {
      await client.query([...first, `CREATE ROLE ${pg.escapeIdentifier(role)} LOGIN ${clause}`].join(';\n'));
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || /^(?:08|40|53|57|55P03)/.test(error.code ?? '')) throw error;
      throw refused(sent, error.message);
    } finally {
      await client.query('ROLLBACK').catch(() => undefined);
    }
  });
}

function refused(sent: SentPassword, message: string): KeyturnError {
  // The server's own words: of a password that nobody has.
  const hidden = typeof sent === 'string' ? sent : sent.reveal();
  const said = oneLine(message.replaceAll(hidden, '…'), 160);
  return typeof sent === 'string'
    ? new KeyturnError(
        'verifier-refused',
        `the server refuses a role whose password comes as a SCRAM verifier: ${said}`,
        {
          hint: 'let its password check take verifiers (credcheck.encrypted_password_allowed = on), or the administrator give roles passwords (rds_password); or write `passwords: plaintext` beside the url in the inventory, after which `keyturn plan` says where the server writes passwords down',
        },
      )
    : new KeyturnError('password-refused', `the server refuses a role with a password like the new one: ${said}`, {
        hint: 'choose a generator whose values its password check takes, or let the administrator give roles passwords (rds_password)',
      });
}
