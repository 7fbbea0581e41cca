/** PostgreSQL's errors in Keyturn's words. Neither the URL nor a driver's error object goes along: both can hold the password. */
import pg from 'pg';
import { KeyturnError, type Effect } from '../domain/errors.js';
import { redact } from '../domain/secret-value.js';

/** Tables and grants are made by their owner, with an address that no worker has. */
export function howToMigrate(worker = 'ROLE'): string {
  return `as the owner of its tables, with KEYTURN_LEDGER_OWNER_URL set: keyturn ledger migrate --grant-to ${worker}`;
}

/** @param effect of a write that was under way: `unknown` from the moment it was sent. */
export function ledgerError(error: unknown, effect: Effect): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const code = sqlState(error);
  const said = saidBy(error);
  const fixed = (message: string, hint: string): KeyturnError =>
    new KeyturnError('ledger-misconfigured', `${message}: ${said}`, { hint, effect: 'none' });
  if (/^28/.test(code))
    return fixed('the ledger database refuses the sign-in', 'check user and password in KEYTURN_DATABASE_URL');
  if (code === '3D000') return fixed('there is no such ledger database', 'create it, or correct KEYTURN_DATABASE_URL');
  if (code === '42501')
    return fixed(
      'a role lacks a right on the ledger',
      `the owner needs CREATE on the database; the worker's needs CONNECT, and what \`keyturn ledger migrate\` grants it`,
    );
  if (code === '3F000' || code === '42P01') {
    return fixed('the ledger has no tables yet', howToMigrate());
  }
  if (code === '25006') {
    const hint = 'point KEYTURN_DATABASE_URL at the primary';
    return new KeyturnError('ledger-unavailable', 'the ledger database is read-only', { hint, retryable: true });
  }
  // Any other answer with an SQLSTATE means that PostgreSQL rolled the transaction back; classes 08, 53, 57 and 55 pass by
  // themselves, as do 40 (serialisation, deadlock) and everything without a code: no connection, or a lost one.
  const answered = code !== '' && !/^(?:08|57P)/.test(code);
  if (answered && !/^(?:40|53|55|57)/.test(code)) {
    return new KeyturnError('ledger-failed', `the ledger database refused (${code}): ${said}`);
  }
  return new KeyturnError('ledger-unavailable', `the ledger database cannot be used now: ${said}`, {
    hint: 'check that PostgreSQL runs and that KEYTURN_DATABASE_URL reaches it',
    retryable: true,
    effect: answered ? 'none' : effect,
  });
}

/** The SQLSTATE; empty when it was not PostgreSQL that spoke. */
function sqlState(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? '') : '';
}

/** One line. An attempt at several addresses has no message of its own, only a code. */
function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given';
  const { code } = error as { code?: unknown };
  const text = error.message || (typeof code === 'string' ? code : error.name);
  return redact(text).split('\n', 1)[0] ?? '';
}
