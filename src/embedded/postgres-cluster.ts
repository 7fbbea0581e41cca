/** The files of a PostgreSQL cluster: where they lie, who owns them, the administrator's password, and their first making. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, chown, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { KeyturnError } from '../domain/errors.js';
import { redact, SecretValue } from '../domain/secret-value.js';
import { temporaryDirectory } from './directories.js';
import type { Account, PostgresBinaries } from './postgres-binaries.js';

const run = promisify(execFile);
export const ADMINISTRATOR = 'postgres';

export interface Cluster {
  readonly binaries: PostgresBinaries;
  readonly account: Account | null;
  readonly data: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly password: SecretValue;
}

export interface Home {
  readonly path: string;
  remove(): Promise<void>;
}

/** The directory that holds the cluster, its password and its log, owned by the account and reachable by it. */
export async function homeFor(directory: string | undefined, account: Account | null): Promise<Home> {
  let home: Home;
  if (directory === undefined) {
    home = await temporaryDirectory('postgres', await reachableParent(account));
  } else {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    home = { path: directory, remove: () => Promise.resolve() };
  }
  if (account !== null) await chown(home.path, account.uid, account.gid);
  await chmod(home.path, 0o700);
  if (directory !== undefined && !(await reachable(directory, account))) {
    throw new KeyturnError('postgres-not-initialised', `the account postgres cannot reach ${directory}`, {
      hint: 'as root, choose a directory that is not under /root: /var/lib/keyturn, for example',
    });
  }
  return home;
}

async function reachableParent(account: Account | null): Promise<string> {
  for (const parent of [tmpdir(), '/tmp', '/var/tmp']) {
    if (await reachable(parent, account)) return parent;
  }
  throw new KeyturnError(
    'postgres-not-initialised',
    `the account postgres cannot reach ${tmpdir()}, /tmp or /var/tmp`,
    {
      hint: 'set TMPDIR to a directory that every account can enter',
    },
  );
}

async function reachable(directory: string, account: Account | null): Promise<boolean> {
  const attempt =
    account === null
      ? access(directory, constants.W_OK | constants.X_OK)
      : run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], { cwd: '/', ...account });
  return attempt.then(
    () => true,
    () => false,
  );
}

/** Random for each cluster, in a file of mode 0600 beside it: argv is everybody's to read, and so are environments at times. */
export async function passwordIn(home: string): Promise<SecretValue> {
  const file = join(home, 'administrator-password');
  try {
    return new SecretValue((await readFile(file, 'utf8')).trim());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = new SecretValue(randomBytes(24).toString('base64url'));
  await writeFile(file, `${password.reveal()}\n`, { mode: 0o600, flag: 'wx' });
  return password;
}

/** Nothing if the cluster is there. An initialisation that was cut short is started over. */
export async function initialise(cluster: Cluster): Promise<void> {
  const complete = join(dirname(cluster.data), 'initialised');
  if (await readable(complete)) return;
  await rm(cluster.data, { recursive: true, force: true });
  const passwordFile = join(await mkdtemp(join(dirname(cluster.data), 'init-')), 'password');
  await writeFile(passwordFile, `${cluster.password.reveal()}\n`, { mode: 0o600, flag: 'wx' });
  if (cluster.account !== null) {
    await chown(dirname(passwordFile), cluster.account.uid, cluster.account.gid);
    await chown(passwordFile, cluster.account.uid, cluster.account.gid);
  }
  const args = [
    '--pgdata',
    cluster.data,
    '--username',
    ADMINISTRATOR,
    '--pwfile',
    passwordFile,
    '--auth=scram-sha-256',
  ];
  // The built-in provider needs no locale of the system's, and orders the same way on every machine.
  args.push(
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
  );
  if (cluster.settings.fsync === 'off') args.push('--no-sync');
  try {
    await run(cluster.binaries.initdb, args, { cwd: '/', env: serverEnvironment(), ...cluster.account });
  } catch (cause) {
    const said = redact((cause as { stderr?: string }).stderr ?? String(cause)).trim();
    throw new KeyturnError('postgres-not-initialised', `initdb failed: ${said}`, { retryable: true });
  } finally {
    await rm(dirname(passwordFile), { recursive: true, force: true });
  }
  await writeFile(complete, '');
}

/** Without the caller's PGOPTIONS, PGDATA and the like, and with messages in English whatever the locale. */
export function serverEnvironment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(own), LC_ALL: 'C', LC_MESSAGES: 'C' };
}

async function readable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}
