/** A real PgBouncer before a test server, where the machine has one. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import type { Login } from '../../../src/databases/server.js';
import { spawnGuarded } from '../../../src/embedded/reaper.js';
import { afterwards } from '../../support/afterwards.js';
import type { TestServer } from '../../support/postgres-versions.js';

const program = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'].find((path) =>
  existsSync(path),
);
export const withoutPgBouncer = program === undefined;
if (withoutPgBouncer) console.warn('PgBouncer is not installed: skipped what needs a real one');

/** @param users its list. @returns its port; it ends with the test file. */
export async function startPgBouncer(
  postgres: TestServer,
  users: readonly Login[],
  mode: string,
  ...more: string[]
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-pgbouncer-'));
  afterwards(() => rm(directory, { recursive: true }));
  const port = await getPort({ host: '127.0.0.1' });
  const settings = [
    '[databases]',
    `* = host=127.0.0.1 port=${postgres.port}`,
    '[pgbouncer]',
    ...[`listen_addr = 127.0.0.1`, `listen_port = ${port}`, 'unix_socket_dir =', `pool_mode = ${mode}`],
    ...['auth_type = scram-sha-256', `auth_file = ${join(directory, 'users')}`, ...more],
  ];
  await writeFile(join(directory, 'settings'), settings.join('\n'));
  const list = users.map(({ user, password }) => `"${user}" "${password.reveal()}"\n`);
  await writeFile(join(directory, 'users'), list.join(''));
  await chmod(directory, 0o700);
  const { account } = postgres;
  if (account) {
    for (const name of ['settings', 'users', '.']) await chown(join(directory, name), account.uid, account.gid);
  }
  const bouncer = await spawnGuarded(program!, [join(directory, 'settings')], { cwd: '/', ...account });
  afterwards(() => bouncer.stop());
  return port;
}
