/** Connections to the ledger's PostgreSQL: encrypted unless the URL says no, under an empty search path, with errors in Keyturn's words. */
import pg from 'pg';
import type { Pool, PoolClient } from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { GuardedClient, tlsOf } from '../databases/encrypted.js';
import type { Effect } from '../domain/errors.js';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import { ledgerError } from './ledger-errors.js';

export class LedgerConnection {
  readonly #pool: Pool;

  /** Does not connect yet. @throws KeyturnError `ledger-misconfigured` for what is not a PostgreSQL URL. */
  constructor(url: string) {
    rememberSecrets(url);
    this.#pool = new pg.Pool({
      Client: GuardedClient,
      ...encrypted(url),
      application_name: 'keyturn-ledger',
      // Every name of ours is written with its schema; a bare one is the server's own.
      options: '-c search_path=',
      max: 4,
      connectionTimeoutMillis: 10_000,
      // An append waits for those before it; each takes milliseconds, so half a minute means that something is stuck.
      lock_timeout: 30_000,
      statement_timeout: 60_000,
      query_timeout: 70_000,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
    });
    // A server that restarts closes idle connections; the pool opens new ones, and nobody needs to hear of it.
    this.#pool.on('error', () => undefined);
  }

  /** @param effect what a lost connection leaves behind. @throws KeyturnError only, never with the URL. */
  async use<T>(effect: Effect, body: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw ledgerError(error, 'none');
    }
    // Without a listener a connection that breaks between two queries would end the process.
    client.on('error', ignore);
    try {
      const result = await body(client);
      client.off('error', ignore);
      client.release();
      return result;
    } catch (error) {
      const known = ledgerError(error, effect);
      client.off('error', ignore);
      // A connection that failed, or timed out half-way through a transaction, is not used again.
      client.release(known.code !== 'ledger-conflict');
      throw known;
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }
}

function ignore(): void {
  // The query that notices the broken connection reports it.
}

/** What the URL says, and TLS unless it says no: here `sslmode=disable` is the explicit word. */
function encrypted(url: string): pg.PoolConfig {
  try {
    const config = parseIntoClientConfig(url);
    const host = config.host ?? process.env['PGHOST'] ?? 'localhost';
    const word = config.ssl === false ? 'off' : undefined;
    return { ...config, ssl: tlsOf(config.ssl, { host, label: "ledger's URL", word }) };
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('ledger-misconfigured', "the ledger's URL cannot be read", {
      hint: 'is a file that it names (sslrootcert, sslcert, sslkey) there?',
    });
  }
}

/** So that redact() takes them out of whatever the driver says. A URL that cannot be parsed is never given to the driver. */
function rememberSecrets(url: string): void {
  new SecretValue(url);
  let passwords: string[];
  try {
    const parsed = new URL(url);
    if (!/^postgres(?:ql)?:$/.test(parsed.protocol)) throw new TypeError('not PostgreSQL');
    passwords = [decodeURIComponent(parsed.password), ...parsed.searchParams.getAll('password')];
  } catch {
    throw new KeyturnError('ledger-misconfigured', "the ledger's address is not a PostgreSQL URL", {
      hint: 'KEYTURN_DATABASE_URL=postgresql://USER:PASSWORD@HOST:5432/DATABASE, with special characters percent-encoded',
    });
  }
  for (const password of passwords) new SecretValue(password);
}
