/** What stands after PASSWORD in CREATE ROLE and ALTER ROLE. */
import pg from 'pg';
import { KeyturnError } from '../../domain/errors.js';
import { SecretValue } from '../../domain/secret-value.js';
import type { PasswordsWord } from '../../domain/specs/database.js';
import { isPrivate } from '../encrypted.js';
import { scramVerifier } from './scram.js';

/**
 * A SCRAM verifier, which the server stores as it is, and whose log shows no password. Or, where the inventory says `passwords: plaintext`,
 * the password itself.
 */
export type SentPassword = string | SecretValue;

/** What `scramVerifier` gives; any other text could be a plaintext. */
export function isSendable(sent: SentPassword): boolean {
  if (sent instanceof SecretValue) return true;
  return /^SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$/.test(sent);
}

/** @param salt see scram.ts: the same for every attempt on every worker. */
export function sentPassword(word: PasswordsWord | undefined, password: SecretValue, salt: string): SentPassword {
  return word === 'plaintext' ? password : scramVerifier(password, salt);
}

/** For the summary of a step. */
export function sentAs(sent: SentPassword): string {
  return typeof sent === 'string' ? 'sent as a SCRAM-SHA-256 verifier' : 'sent in clear, as the inventory says';
}

/**
 * @param client the connection on which it will be sent.
 * @returns `PASSWORD '…'`, and what must be sent first: what comes in clear the server turns into a verifier by itself, and not into MD5.
 * @throws KeyturnError `password-in-clear` where somebody in between could read it.
 */
export function passwordClause(
  client: pg.Client,
  sent: SentPassword,
): { readonly first: string[]; readonly clause: string } {
  if (typeof sent === 'string') return { first: [], clause: `PASSWORD ${pg.escapeLiteral(sent)}` };
  if (!isPrivate(client)) {
    throw new KeyturnError(
      'password-in-clear',
      'a password is sent in clear over TLS with a verified certificate, or on this machine, and nowhere else: it was not sent',
      { hint: 'take `tls` from the database in the inventory, or `passwords: plaintext`' },
    );
  }
  return {
    first: [`SET password_encryption = 'scram-sha-256'`],
    clause: `PASSWORD ${pg.escapeLiteral(sent.reveal())}`,
  };
}
