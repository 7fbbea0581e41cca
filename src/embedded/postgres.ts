/** A PostgreSQL of our own, on this machine's loopback only, for the demo, for `keyturn up` and for tests. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import getPort from 'get-port';
import pg from 'pg';
import { KeyturnError } from '../domain/errors.js';
import { redact } from '../domain/secret-value.js';
import { logTail } from './log-tail.js';
import { postgresAccount, postgresBinaries } from './postgres-binaries.js';
import type { Cluster } from './postgres-cluster.js';
import { ADMINISTRATOR, homeFor, initialise, passwordIn, serverEnvironment } from './postgres-cluster.js';
import type { GuardedProcess } from './reaper.js';
import { spawnGuarded } from './reaper.js';

const HOST = '127.0.0.1';
const START_MS = 60_000;
const ATTEMPTS = 3;

export interface PostgresOptions {
  /** Keeps the cluster over restarts; without it, it lives in a temporary directory and goes with this process. */
  readonly directory?: string;
  /** Appended to. Defaults to `postgres.log` beside the cluster. */
  readonly logFile?: string;
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly port?: number;
}

export interface Postgres {
  /** Of the administrator, for the database `postgres`. Carries the password: never log it. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly logFile: string;
  /** Where the cluster's files are. */
  readonly directory: string;
  /** Creates a database and returns its administrator URL. @throws KeyturnError `database-not-created` */
  createDatabase(name: string): Promise<string>;
  /** Idempotent. Removes the files of a temporary cluster. */
  stop(): Promise<void>;
  /** On the same port, with the same files. `kill` ends the running one with SIGKILL, as a crash would. */
  restart(options?: { readonly kill?: boolean }): Promise<void>;
}

/** Durability costs two thirds of a test's time and is worth nothing for files that are about to be deleted. */
const TEMPORARY = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/**
 * @throws KeyturnError `no-postgres`, `no-postgres-account` (see postgres-binaries), `postgres-not-initialised`,
 *   `postgres-not-started` with the end of the server's log.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const account = await postgresAccount();
  const binaries = await postgresBinaries(account);
  const home = await homeFor(options.directory, account);
  try {
    const password = await passwordIn(home.path);
    const cluster: Cluster = {
      binaries,
      account,
      data: join(home.path, 'data'),
      logFile: options.logFile ?? join(home.path, 'postgres.log'),
      settings: { ...(options.directory === undefined ? TEMPORARY : {}), ...options.settings },
      password,
    };
    await initialise(cluster);
    const first = await launchOnFreePort(cluster, options.port);
    let server = first.server;
    const url = (database: string): string =>
      `postgresql://${ADMINISTRATOR}:${password.reveal()}@${HOST}:${String(first.port)}/${encodeURIComponent(database)}`;
    const stopServer = async (): Promise<void> => {
      await server.stop(15_000);
    };
    return {
      url: url('postgres'),
      port: first.port,
      logFile: cluster.logFile,
      directory: home.path,
      get pid() {
        return server.pid;
      },
      async createDatabase(name) {
        await execute(url('postgres'), `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
        return url(name);
      },
      async stop() {
        await stopServer();
        await home.remove();
      },
      async restart({ kill = false } = {}) {
        if (kill) server.kill('SIGKILL');
        await stopServer();
        server = await launchOn(first.port, cluster);
      },
    };
  } catch (error) {
    await home.remove();
    throw error;
  }
}

async function launchOnFreePort(
  cluster: Cluster,
  wanted: number | undefined,
): Promise<{ server: GuardedProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await getPort({ host: HOST, reserve: true }));
    try {
      return { port, server: await launchOn(port, cluster) };
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function launchOn(port: number, cluster: Cluster): Promise<GuardedProcess> {
  const settings = {
    listen_addresses: HOST,
    // No socket: it would lie in a directory that all share, and be a second way in.
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...cluster.settings,
  };
  const args = ['-D', cluster.data, '-p', String(port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const server = await spawnGuarded(cluster.binaries.postgres, args, {
    cwd: '/',
    env: serverEnvironment(),
    logFile: cluster.logFile,
    // "Fast": ends the sessions. SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
    ...cluster.account,
  });
  const url = `postgresql://${ADMINISTRATOR}:${cluster.password.reveal()}@${HOST}:${String(port)}/postgres`;
  const deadline = Date.now() + START_MS;
  while (server.exit === null && Date.now() < deadline) {
    if (await answers(url)) return server;
    await sleep(30);
  }
  const ended = server.exit === null ? `did not answer within ${String(START_MS / 1000)} s` : 'ended at once';
  await server.stop();
  throw new KeyturnError('postgres-not-started', `PostgreSQL ${ended}:\n${await logTail(cluster.logFile)}`, {
    hint: `see ${cluster.logFile}`,
    retryable: true,
  });
}

async function answers(url: string): Promise<boolean> {
  return execute(url, 'SELECT 1').then(
    () => true,
    () => false,
  );
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(statement);
  } catch (error) {
    throw new KeyturnError('database-not-created', redact(error instanceof Error ? error.message : String(error)));
  } finally {
    await client.end().catch(() => undefined);
  }
}
