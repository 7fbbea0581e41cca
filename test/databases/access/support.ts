/** A server of some version with an application's database, an administrator who may just enough, and a role in use. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect } from 'vitest';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import type { Touched } from '../../../src/databases/access/working-login.js';
import { Server, type Login } from '../../../src/databases/server.js';
import { KeyturnError } from '../../../src/domain/errors.js';
import type { PlannedNode } from '../../../src/domain/plan.js';
import { SecretValue } from '../../../src/domain/secret-value.js';
import { afterwards } from '../../support/afterwards.js';
import { makeHostile } from '../../support/hostile-database.js';
import type { TestReplica, TestServer } from '../../support/postgres-versions.js';

export const DATABASE = 'app';
export const OWNER = 'app_owner';

export function newPassword(): SecretValue {
  return new SecretValue(randomBytes(24).toString('base64url'));
}

/** `app_v1` owns nothing and may write `notes`; `keyturn` may just what a swap needs, from 16 on with ADMIN OPTION. */
export async function prepare(
  test: TestServer,
  { hostile = true }: { /** false: the test brings an attack of its own. */ readonly hostile?: boolean } = {},
): Promise<{ administrator: Login; v1: Login }> {
  const administrator = { user: 'keyturn', password: newPassword() };
  const v1 = { user: 'app_v1', password: newPassword() };
  const verifier = (login: Login): string => scramVerifier(login.password, login.user);
  await test.sql(
    `CREATE ROLE ${OWNER} NOLOGIN`,
    `CREATE ROLE keyturn LOGIN CREATEROLE PASSWORD '${verifier(administrator)}'`,
    `CREATE ROLE app_v1 LOGIN PASSWORD '${verifier(v1)}'`,
    'GRANT pg_signal_backend, pg_read_all_stats TO keyturn',
    `GRANT app_v1, ${OWNER} TO keyturn WITH ADMIN OPTION`,
    `CREATE DATABASE ${DATABASE} OWNER ${OWNER}`,
  );
  await inDatabase(
    test,
    'CREATE TABLE notes (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, text text NOT NULL)',
    'GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO app_v1',
    `ALTER TABLE notes OWNER TO ${OWNER}`,
  );
  // The owner of its tables: `app_v1` has nothing of its own but what a test says.
  if (hostile) await (await makeHostile(test.urlOf(DATABASE), OWNER, { adopt: false })).trapTables();
  return { administrator, v1 };
}

export async function inDatabase(test: TestServer, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: test.urlOf(DATABASE) });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

export interface ServerParts {
  /** Default: the superuser. */
  readonly administrator?: Login;
  readonly replicas?: readonly (PlannedNode | TestReplica)[];
  readonly signal?: AbortSignal;
  readonly port?: number;
  readonly database?: string;
  readonly touched?: Touched;
  readonly passwords?: 'plaintext';
}

export function serverFor(test: TestServer, parts: ServerParts = {}): Server {
  const {
    administrator,
    replicas = [],
    signal = new AbortController().signal,
    port = test.port,
    database = DATABASE,
    touched,
    passwords,
  } = parts;
  const url = new URL(test.url);
  url.port = String(port);
  if (administrator) {
    url.username = administrator.user;
    url.password = administrator.password.reveal();
  }
  const server = new Server({
    administrator: new SecretValue(url.href),
    label: 'variable APP_ADMIN_URL',
    database,
    replicas: replicas.map((replica, at) =>
      'name' in replica ? replica : { name: `replica${at + 1}`, host: '127.0.0.1', port: replica.port },
    ),
    signal,
    ...(touched ? { touched } : {}),
    passwords,
  });
  afterwards(() => server.close());
  return server;
}

export interface Session {
  readonly client: pg.Client;
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** An application's connection. */
export async function connectAs(test: { port: number }, login: Login, application: string): Promise<Session> {
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port: test.port, database: DATABASE, user: login.user },
    ...{ password: login.password.reveal(), application_name: application },
  });
  const ended = new Promise<void>((resolve) => {
    client.on('error', () => undefined);
    client.on('end', () => resolve());
  });
  await client.connect();
  return { client, ended, close: () => client.end().catch(() => undefined) };
}

export async function failureOf(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}
