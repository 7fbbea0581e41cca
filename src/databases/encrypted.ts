/**
 * Whether a connection is encrypted, and what a server may ask for on it. Beyond this machine TLS with a verified certificate is
 * demanded, unless the inventory gives it up in so many words: an administrator's password goes over it, and what it changes.
 */
import { isIP } from 'node:net';
import pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import type { TlsWord } from '../domain/specs/database.js';

/** Unix sockets, and what no other machine can listen on. */
export function isThisMachine(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (name.startsWith('/') || name === '::1' || /^(?:[^.]+\.)*localhost$/.test(name)) return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

/**
 * @param asked what the URL asks for, as the driver has read it; undefined: nothing.
 * @returns what the driver is to do. @throws KeyturnError `database-not-encrypted`.
 */
export function tlsOf(
  asked: pg.ClientConfig['ssl'],
  { host, label, word }: { readonly host: string; readonly label: string; readonly word: TlsWord | undefined },
): pg.ClientConfig['ssl'] {
  if (isThisMachine(host)) return asked ?? false;
  const verified = typeof asked !== 'object' || asked.rejectUnauthorized !== false;
  if (asked === false || (asked === undefined && word === 'off')) {
    if (word === 'off') return false;
    throw new KeyturnError('database-not-encrypted', `the ${label} asks for a connection without TLS to another host`, {
      hint: 'take sslmode=disable out of it (sslrootcert=FILE names a CA of your own); or, where the network in between is yours alone, write `tls: off` beside the url in the inventory',
    });
  }
  if (!verified && word === undefined) {
    throw new KeyturnError('database-not-encrypted', `the ${label} asks for TLS without a verified certificate`, {
      hint: 'write sslmode=verify-full, with sslrootcert=FILE for a CA of your own; or `tls: unverified` beside the url in the inventory',
    });
  }
  if (asked === undefined || asked === true) return word === 'unverified' ? { rejectUnauthorized: false } : {};
  return asked;
}

/** Whether nobody on the way can read what is sent: on this machine, or to a server that has proven by a certificate who it is. */
export function isPrivate(client: pg.Client): boolean {
  return isThisMachine(client.host) || isProven((client as unknown as Internals).ssl);
}

function isProven(ssl: pg.ClientConfig['ssl']): boolean {
  return typeof ssl === 'object' ? ssl.rejectUnauthorized !== false : ssl === true;
}

/** The driver's own field and handler, which its types leave out. */
interface Internals {
  readonly ssl: pg.ClientConfig['ssl'];
  readonly connection: { emit(event: 'error', error: Error): void; readonly stream: { destroy(): void } };
}

/**
 * A client that gives no server its password to read, unless that server has proven by a certificate who it is (directory and PAM
 * log-ins ask so): anybody may listen on a port, or stand in between, and ask.
 */
export class GuardedClient extends pg.Client {
  /** In the place of the driver's handler of AuthenticationCleartextPassword, which answers with the password. */
  protected _handleAuthCleartextPassword(): void {
    const { ssl, connection } = this as unknown as Internals;
    if (isProven(ssl)) {
      const drivers = pg.Client.prototype as unknown as { _handleAuthCleartextPassword(this: GuardedClient): void };
      drivers._handleAuthCleartextPassword.call(this);
      return;
    }
    const error = new KeyturnError(
      'cleartext-password',
      'the server asks for the password in clear text: it was not sent',
      {
        hint: 'let the server ask for scram-sha-256 (pg_hba.conf), or connect with sslmode=verify-full',
      },
    );
    connection.emit('error', error);
    connection.stream.destroy();
  }
}
