/** Databases in an embedded PostgreSQL whose files may have been kept from an earlier run. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { scramVerifier } from '../databases/access/scram.js';
import { KeyturnError } from '../domain/errors.js';
import { redact, SecretValue } from '../domain/secret-value.js';
import type { Postgres } from '../embedded/postgres.js';

/** @returns its administrator URL, whether it was there or not. */
export async function ensureDatabase(postgres: Postgres, name: string): Promise<string> {
  const [found] = await execute(postgres, 'SELECT datname FROM pg_database WHERE datname = $1', [name]);
  if (!found) return postgres.createDatabase(name);
  const url = new URL(postgres.url);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** A login with nothing but its name. @returns its password, a new one each time. */
export async function ensureRole(postgres: Postgres, name: string): Promise<SecretValue> {
  const password = new SecretValue(randomBytes(24).toString('base64url'));
  const role = pg.escapeIdentifier(name);
  const [found] = await execute(postgres, 'SELECT FROM pg_roles WHERE rolname = $1', [name]);
  // As the server keeps it: the statement may be logged.
  const verifier = pg.escapeLiteral(scramVerifier(password, name));
  await execute(postgres, `${found ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN PASSWORD ${verifier}`);
  return password;
}

/** @returns the administrator URL of a new, empty one; an older one of the same name goes, and who is connected to it. */
export async function recreateDatabase(postgres: Postgres, name: string): Promise<string> {
  await execute(postgres, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
  return postgres.createDatabase(name);
}

async function execute(postgres: Postgres, statement: string, values: string[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(statement, values)).rows;
  } catch (error) {
    const said = redact(error instanceof Error ? error.message : String(error));
    throw new KeyturnError('database-unavailable', `the embedded PostgreSQL refused: ${said}`, { cause: error });
  } finally {
    await client.end().catch(() => undefined);
  }
}
