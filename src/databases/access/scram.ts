/** A password as PostgreSQL keeps it, computed here: the statement that sets it may be logged, the password must not be. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { KeyturnError } from '../../domain/errors.js';
import type { SecretValue } from '../../domain/secret-value.js';

/** PostgreSQL's own default (scram_iterations). */
const ITERATIONS = 4_096;
/** As PostgreSQL's own (SCRAM_DEFAULT_SALT_LEN). */
const SALT_BYTES = 16;

/**
 * `SCRAM-SHA-256$4096:SALT$STORED_KEY:SERVER_KEY` (RFC 5802, RFC 5803), which `CREATE ROLE … PASSWORD` takes as it is.
 *
 * The salt is derived from the password and `purpose`, not drawn: every retry on every worker sends the same bytes without anything
 * being kept, and a PgBouncer that was given this verifier goes on matching. A salt has two tasks. It makes equal passwords look
 * different: here each purpose does that, and generated passwords are never equal. And it defeats tables made in advance: the
 * password's own 190 bits do that. It need not be secret or random, only must not make guessing cheaper; so it is derived by the same
 * 4,096 rounds of keyed HMAC-SHA-256 (PBKDF2) that an attacker pays for a guess at the verifier itself.
 *
 * @param purpose what distinguishes this password's use: the role's name and the run's request id.
 * @throws KeyturnError `unrepresentable` for a password that is empty or not printable ASCII: SASLprep (RFC 4013) leaves only that
 * as it is, and drivers disagree about the rest.
 */
export function scramVerifier(password: SecretValue, purpose: string): string {
  const text = password.reveal();
  if (!/^[\x20-\x7e]+$/.test(text)) {
    throw new KeyturnError('unrepresentable', 'the password is empty or holds characters other than printable ASCII', {
      hint: 'let Keyturn generate it, or choose letters, digits, "-" and "_"',
    });
  }
  const salt = pbkdf2Sync(text, `keyturn scram salt 1\0${purpose}`, ITERATIONS, SALT_BYTES, 'sha256');
  const salted = pbkdf2Sync(text, salt, ITERATIONS, 32, 'sha256');
  const key = (label: string): Buffer => createHmac('sha256', salted).update(label).digest();
  const stored = createHash('sha256').update(key('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${key('Server Key').toString('base64')}`;
}
