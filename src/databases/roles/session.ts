/** Transactions of an administrator, in which every name is written in full and no lock is waited for long. */
import pg from 'pg';
import type { Effect } from '../../domain/errors.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Server } from '../server.js';

/** How long one of our statements may wait for a lock. Whoever comes after us queues behind us: better to give up and come back. */
const LOCK_TIMEOUT = '500ms';

export interface Session {
  readonly client: pg.Client;
  /** As server_version_num: 150018. */
  readonly version: number;
  readonly database: string;
  readonly administrator: string;
  readonly superuser: boolean;
}

export interface Place {
  /** Default: the application's database. */
  readonly database?: string;
  /** `read`: nothing that was done stays. Default: `write`. */
  readonly purpose?: 'read' | 'write';
}

export const id = (name: string): string => pg.escapeIdentifier(name);
export const literal = (text: string): string => pg.escapeLiteral(text);

/** @throws KeyturnError as Server; `effect` says whether the transaction had been committed. */
export function inTransaction<T>(server: Server, place: Place, work: (session: Session) => Promise<T>): Promise<T> {
  let effect: Effect = 'none';
  return server.asAdministrator(
    (client) => transaction(client, place.purpose ?? 'write', work, (done) => (effect = done)),
    { ...(place.database === undefined ? {} : { database: place.database }), effect: () => effect },
  );
}

/** On a connection that is there. An error leaves the transaction open, for the connection to end or the caller to roll back. */
export async function transaction<T>(
  client: pg.Client,
  purpose: 'read' | 'write',
  work: (session: Session) => Promise<T>,
  told: (effect: Effect) => void = () => undefined,
): Promise<T> {
  await client.query('BEGIN');
  const session = await open(client);
  const result = await work(session);
  if (purpose === 'read') {
    await client.query('ROLLBACK');
    return result;
  }
  // The answer may be lost while the server commits.
  told('unknown');
  await client.query('COMMIT');
  told('applied');
  return result;
}

interface OpenRow {
  version: number;
  database: string;
  administrator: string;
  superuser: boolean;
}

async function open(client: pg.Client): Promise<Session> {
  // Compiling takes longer than any query of the catalogue.
  const { rows } = await client.query<OpenRow>(
    `SELECT current_setting('server_version_num')::int AS version, current_database() AS database,
            current_user AS administrator, current_setting('is_superuser') = 'on' AS superuser,
            set_config('lock_timeout', '${LOCK_TIMEOUT}', true), set_config('jit', 'off', true)`,
  );
  const [row] = rows;
  if (!row) throw new KeyturnError('query-failed', 'the server says nothing about itself');
  return { client, ...row };
}

/** Several statements in one round trip; none of them may hold a parameter. */
export async function runAll(session: Session, statements: readonly string[]): Promise<void> {
  if (statements.length > 0) await session.client.query(statements.join(';\n'));
}

/** The same as another role: whoever made a grant must be the one to make it again, or to take it back. */
export async function runAllAs(session: Session, role: string, statements: readonly string[]): Promise<void> {
  if (statements.length === 0) return;
  await runAll(session, [`SET LOCAL ROLE ${id(role)}`, ...statements, 'RESET ROLE']);
}
