/** What a server may answer on the way: that it is starting up, that it takes no verifier. */
import { readFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { demandPasswordTaken } from '../../../src/databases/access/password-taken.js';
import { setPassword } from '../../../src/databases/access/password.js';
import { proveLogin } from '../../../src/databases/access/prove-login.js';
import { sentPassword } from '../../../src/databases/access/sent-password.js';
import { whereWrittenDown } from '../../../src/databases/access/written-down.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import type { Login } from '../../../src/databases/server.js';
import { afterwards } from '../../support/afterwards.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { failureOf, newPassword, prepare, serverFor } from './support.js';

let postgres: TestServer;
let administrator: Login;
beforeAll(async () => {
  const running = await startVersion(18);
  if (typeof running === 'string') throw new Error(running);
  postgres = running;
  ({ administrator } = await prepare(postgres));
});

const answer = (kind: string, body: string): Buffer => {
  const bytes = Buffer.from(`${kind}0000${body}`, 'latin1');
  bytes.writeInt32BE(bytes.length - 1, 1);
  return bytes;
};
const failure = (code: string, message: string): Buffer => answer('E', `SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);

/** Passes bytes on, unless `instead` has an answer to what the client sends on its n-th connection. */
async function relay(instead: (sent: string, connection: number) => Buffer | 'hang up' | null): Promise<number> {
  let connections = 0;
  const server = createServer((client) => {
    const connection = (connections += 1);
    const upstream = connect(postgres.port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    upstream.pipe(client);
    client.on('data', (bytes) => {
      const own = instead(bytes.toString('latin1'), connection);
      if (own === null) upstream.write(bytes);
      else if (own === 'hang up') client.destroy();
      else if (bytes[0] === 0) client.end(own);
      else client.write(own);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

test('a server that is starting up, and one that goes away in between, is asked again', async () => {
  let asked = 0;
  const port = await relay((_sent, connection) => {
    asked = connection;
    if (connection === 3) return 'hang up';
    return connection < 5 ? failure('57P03', 'the database system is starting up') : null;
  });
  expect(await serverFor(postgres, { port }).databases()).toContain('app');
  expect(asked).toBe(5);
});

test('one that goes on starting up is said to be, as something that may end', async () => {
  const port = await relay(() => failure('57P03', 'the database system is starting up'));
  const asking = serverFor(postgres, { port }).asAdministrator((client) => client.query('SELECT 1'), { limit: 700 });
  expect(await failureOf(asking)).toMatchObject({
    ...{ code: 'database-unreachable', retryable: true, effect: 'none' },
    message: expect.stringContaining('starting up') as string,
  });
});

/** As credcheck answers, in front of the same server. */
const wantingClear = (): Promise<number> =>
  relay((sent) =>
    sent.includes("PASSWORD 'SCRAM-SHA-256$")
      ? Buffer.concat([failure('22023', 'password type is not a plain text'), answer('Z', 'E')])
      : null,
  );

test('a server that wants to see passwords in clear is found before anything is changed', async () => {
  const refusing = await wantingClear();
  const error = await failureOf(demandPasswordTaken(serverFor(postgres, { port: refusing }), newPassword()));
  expect(error).toMatchObject({
    code: 'verifier-refused',
    hint: expect.stringMatching(/credcheck.*passwords: plaintext/) as string,
  });
  expect(error.message).toContain('password type is not a plain text');
  expect(error.message).not.toContain('SCRAM-SHA-256$');
  await demandPasswordTaken(serverFor(postgres), newPassword());
  expect(await postgres.sql(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'keyturn_trial%'`)).toEqual([]);
});

test('with `passwords: plaintext` it is given them in clear, also of the login of a step, and keeps them as verifiers', async () => {
  const port = await wantingClear();
  await postgres.sql(`ALTER ROLE keyturn SET password_encryption = 'md5'`);
  const server = serverFor(postgres, { port, administrator, passwords: 'plaintext' });
  const [changed, fresh] = ['app_v1', 'app_v2'].map((user) => ({ user, password: newPassword() }));
  const read = (from: typeof server): Promise<unknown> =>
    from.asWorker((client) => client.query('SELECT FROM notes'), { touched: ['public.notes'] });
  expect(await failureOf(read(serverFor(postgres, { port, administrator })))).toMatchObject({
    code: 'no-working-login',
    hint: expect.stringContaining('passwords: plaintext') as string,
  });

  await demandPasswordTaken(server, newPassword());
  const pair = { strategy: 'copy', old: 'app_v1', fresh: 'app_v2', group: null } as const;
  const made = { ...pair, verifier: sentPassword(server.passwords, fresh!.password, 'x'), mark: 'mark' };
  expect((await createLogin(server, made)).summary).toContain('sent in clear');
  expect((await createLogin(server, made)).summary).toContain('was there already');
  const set = await setPassword(server, 'app_v1', sentPassword(server.passwords, changed!.password, 'x'));
  expect(set.summary).toContain('sent in clear');
  await read(server);
  const stored = await postgres.sql(
    `SELECT rolname LIKE 'keyturn_work%' AS own, rolpassword LIKE 'SCRAM-SHA-256$%' AS scram FROM pg_authid WHERE rolname ~ '^(app_v|keyturn_work)' ORDER BY 1`,
  );
  expect(stored).toEqual([false, false, true].map((own) => ({ own, scram: true })));
  for (const login of [changed!, fresh!]) await proveLogin(server, login, { probe: null });
  await server.close();
  await postgres.sql('ALTER ROLE keyturn RESET password_encryption');
});

test('a password check that refuses what the generator makes is told in its own words, without the value', async () => {
  const port = await relay((sent) =>
    /CREATE ROLE [^]* PASSWORD '/.test(sent)
      ? Buffer.concat([failure('22023', 'password must contain a special character'), answer('Z', 'E')])
      : null,
  );
  const example = newPassword();
  const error = await failureOf(
    demandPasswordTaken(serverFor(postgres, { port, administrator, passwords: 'plaintext' }), example),
  );
  expect(error).toMatchObject({ code: 'password-refused', hint: expect.stringContaining('generator') as string });
  expect(error.message).toContain('must contain a special character');
  expect(`${error.message}${String(error.hint)}`).not.toContain(example.reveal());
});

test('where a server writes down a password that comes in clear is said as it is', async () => {
  const server = serverFor(postgres, { administrator, passwords: 'plaintext' });
  const written = async (role: string): Promise<boolean> => {
    const password = newPassword();
    await setPassword(server, role, password).catch(() => undefined);
    return (await readFile(postgres.logFile, 'utf8')).includes(password.reveal());
  };
  const failing = 'where a statement fails, its log has it too (log_min_error_statement = error)';
  expect(await whereWrittenDown(server)).toBe(
    `as the server is set now, nothing that Keyturn knows of writes down a statement that succeeds; ${failing}`,
  );
  expect([await written('app_v1'), await written('no_such_role')]).toEqual([false, true]);
  for (const setting of ["log_statement = 'ddl'", "log_min_duration_statement = '0'", "debug_print_parse = 'on'"]) {
    await postgres.sql(`ALTER ROLE keyturn SET ${setting}`);
    expect(await whereWrittenDown(server)).toContain(setting.replaceAll("'", ''));
    expect(await written('app_v1'), setting).toBe(true);
    await postgres.sql('ALTER ROLE keyturn RESET ALL');
  }
  await postgres.sql(`ALTER ROLE keyturn SET log_min_error_statement = 'panic'`);
  expect(await whereWrittenDown(server)).not.toContain('log_min_error_statement');
  expect(await written('no_such_role')).toBe(false);
  await postgres.sql('ALTER ROLE keyturn RESET ALL');
});
