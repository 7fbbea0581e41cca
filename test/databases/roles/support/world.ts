/** Two databases, roles that are dropped again, and an administrator's hand in both. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import { Server } from '../../../../src/databases/server.js';
import { SecretValue } from '../../../../src/domain/secret-value.js';

export const MARK = 'keyturn rotation test';
/** What comparing two roles says when nothing differs. */
export const EQUAL = { missing: [], extra: [] };
export const id = (name: string): string => pg.escapeIdentifier(name);

export interface Place {
  readonly name: string;
  readonly url: string;
}

export function serverOn(url: string): Server {
  return new Server({
    administrator: new SecretValue(url),
    label: 'variable ADMIN_URL',
    database: null,
    replicas: [],
    signal: new AbortController().signal,
  });
}

/** Runs statements as the administrator, or as who is in the URL. */
export async function run(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result: unknown = await client.query(sql);
    return [result].flat().flatMap((one) => (one as pg.QueryResult<Record<string, unknown>>).rows);
  } finally {
    await client.end();
  }
}

export function urlAs(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

/** RFC 5802, as the server would compute it. */
export function scramVerifier(password: string, iterations = 4096): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${hmac('Server Key').toString('base64')}`;
}
