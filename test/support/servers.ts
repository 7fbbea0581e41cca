/** What integration tests share: one Temporal dev server and one PostgreSQL, started once a run by global-setup.ts. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, inject } from 'vitest';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { startPostgres, type Postgres } from '../../src/embedded/postgres.js';
// Before the hooks below, so that a server is stopped after what it holds is gone.
import { afterwards } from './afterwards.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of a dev server that can skip time; namespace `default`. */
    temporalAddress: string;
    /** The `temporal` program that runs it. */
    temporalCli: string;
    /** The server's own log. */
    temporalLog: string;
    /** Administrator URL, for the database `postgres`. */
    postgresUrl: string;
    /** Log with every statement (log_statement = all) that the server was sent. */
    postgresLog: string;
  }
}

export interface FreshDatabase {
  readonly name: string;
  /** Administrator URL of this database. */
  readonly url: string;
  /** Idempotent. Done by itself at the end of the file. */
  drop(): Promise<void>;
}

let own: { readonly server: Postgres; readonly log: string } | null = null;

/**
 * To be called first in a file whose steps look through all databases of the server, and are not tried again: one that another file makes
 * or drops meanwhile would be a disturbance that nobody meant. What is fresh here is then on this server.
 */
export function useOwnServer(): void {
  beforeAll(async () => {
    const directory = await temporaryDirectory('own-postgres-log');
    const log = join(directory.path, 'postgres.log');
    const server = await startPostgres({ logFile: log, settings: { log_statement: 'all', max_connections: '100' } });
    own = { server, log };
    afterwards(async () => {
      await server.stop();
      await directory.remove();
    });
  });
}

/** Of the server that this file's databases are on, with every statement that it was sent. */
export function postgresLog(): string {
  return own?.log ?? inject('postgresLog');
}

function postgresUrl(): string {
  return own?.server.url ?? inject('postgresUrl');
}

const databases = new Set<string>();
const roles = new Set<string>();

/** A new empty database for the calling test file; dropped when the file is done. A database left over fails the run. */
export async function freshDatabase(prefix: string): Promise<FreshDatabase> {
  const name = uniqueName(prefix);
  await asAdministrator(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  databases.add(name);
  const url = new URL(postgresUrl());
  url.pathname = `/${name}`;
  return { name, url: url.href, drop: () => dropDatabase(name) };
}

/** A name that no other test uses, for a role that the test creates; the role is dropped when the file is done. */
export function freshRoleName(prefix: string): string {
  const name = uniqueName(prefix);
  roles.add(name);
  return name;
}

/** The same, for roles whose names the code under test chooses. */
export function dropRoleAfterwards(name: string): void {
  roles.add(name);
}

/** A client of the shared Temporal server; the connection is closed when the file is done. */
export async function temporalClient(): Promise<Client> {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  connections.add(connection);
  return new Client({ connection });
}

/** A task queue that no other test file polls. */
export function freshTaskQueue(prefix: string): string {
  return uniqueName(prefix);
}

const connections = new Set<Connection>();

afterAll(async () => {
  for (const connection of connections) await connection.close();
  connections.clear();
  for (const name of databases) await dropDatabase(name);
  // After the databases: only then does nothing depend on a role any more, except what it was granted elsewhere.
  for (const name of roles) await dropRole(name);
  roles.clear();
});

async function dropDatabase(name: string): Promise<void> {
  await asAdministrator(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
  databases.delete(name);
}

async function dropRole(name: string): Promise<void> {
  const role = pg.escapeIdentifier(name);
  await asAdministrator(
    `DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = ${pg.escapeLiteral(name)}) THEN
       EXECUTE ${pg.escapeLiteral(`DROP OWNED BY ${role}`)}; EXECUTE ${pg.escapeLiteral(`DROP ROLE ${role}`)};
     END IF; END $$`,
  );
}

async function asAdministrator(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function uniqueName(prefix: string): string {
  return `${prefix.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}_${randomBytes(5).toString('hex')}`;
}
