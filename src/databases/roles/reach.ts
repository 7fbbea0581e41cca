/** In which databases of a cluster a role matters. */
import { KeyturnError } from '../../domain/errors.js';
import type { Server } from '../server.js';
import type { Session } from './session.js';

/** Roles below are the server's own; nothing is recorded about what hangs on them. */
const FIRST_OWN_OID = 16_384;

export interface DependentDatabase {
  readonly name: string;
  readonly connectable: boolean;
}

/** Databases with anything that hangs on the role, by pg_shdepend: grants, ownership, policies, default privileges. */
export async function dependentDatabases(session: Session, roles: readonly string[]): Promise<DependentDatabase[]> {
  const { rows } = await session.client.query<DependentDatabase>(
    `SELECT d.datname AS name, d.datallowconn AS connectable FROM pg_database d
      WHERE d.oid IN (SELECT s.dbid FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
                       WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY ($1))
         OR d.datallowconn AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = ANY ($1) AND r.oid < ${FIRST_OWN_OID})
      ORDER BY d.datname <> current_database(), d.datname`,
    [roles],
  );
  return rows;
}

/** Every database that can be connected to, but the one we are in. */
export async function otherDatabases(session: Session): Promise<string[]> {
  const { rows } = await session.client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE datallowconn AND datname <> current_database() ORDER BY datname',
  );
  return rows.map(({ name }) => name);
}

/** Those that can be connected to. @throws KeyturnError `database-closed` when something of the role's is in one that cannot. */
export async function reachableDatabases(session: Session, roles: readonly string[]): Promise<string[]> {
  const databases = await dependentDatabases(session, roles);
  const closed = databases.filter(({ connectable }) => !connectable).map(({ name }) => name);
  if (closed.length > 0) {
    throw new KeyturnError(
      'database-closed',
      `the role ${roles[0] ?? ''} has rights or objects in ${closed.join(', ')}, which takes no connections`,
      { hint: `ALTER DATABASE … ALLOW_CONNECTIONS true for as long as the swap takes, or drop that database` },
    );
  }
  return databases.map(({ name }) => name);
}

/** Runs `work` for each database in turn. One that was dropped meanwhile holds nothing any more and is passed over. */
export async function inEach<T>(
  server: Server,
  databases: readonly string[],
  work: (database: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const database of databases) {
    try {
      results.push(await work(database));
    } catch (error) {
      if ((await server.databases()).includes(database)) throw error;
    }
  }
  return results;
}
