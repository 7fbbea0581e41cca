/** A connection that is not direct is found out: by a real PgBouncer where there is one, and by what every pooler has to do. */
import { connect, createServer, type AddressInfo } from 'node:net';
import getPort from 'get-port';
import { beforeAll, expect, test } from 'vitest';
import { demandWritable } from '../../../src/databases/access/demand-writable.js';
import { assessAdministrator } from '../../../src/databases/access/assess-administrator.js';
import type { Login } from '../../../src/databases/server.js';
import type { KeyturnError } from '../../../src/domain/errors.js';
import { afterwards } from '../../support/afterwards.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { startPgBouncer, withoutPgBouncer } from './pgbouncer.js';
import { failureOf, prepare, serverFor } from './support.js';

const NEEDS = { strategy: 'copy', role: 'app_v1', group: null } as const;
let postgres: TestServer;
let administrator: Login;

beforeAll(async () => {
  const running = await startVersion(18);
  if (typeof running === 'string') throw new Error(running);
  postgres = running;
  ({ administrator } = await prepare(postgres));
});

test.skipIf(withoutPgBouncer).each([
  ['session', 'refuses'],
  ['transaction', 'refuses'],
  ['session', 'ignores'],
  ['transaction', 'ignores'],
])('PgBouncer in %s mode that %s start-up options is found out before any statement', async (mode, options) => {
  const more = options === 'ignores' ? ['ignore_startup_parameters = options'] : [];
  const port = await startPgBouncer(postgres, [administrator], mode, ...more);
  const server = serverFor(postgres, { administrator, port });
  const assess = (): Promise<KeyturnError> => failureOf(assessAdministrator(server, NEEDS));
  await expect.poll(async () => (await assess()).code).not.toBe('database-unreachable');
  expect(await assess()).toMatchObject({
    code: 'pooled',
    message: expect.stringContaining('goes through a pooler') as string,
    hint: expect.stringContaining('NOLOGIN') as string,
  });
});

test('whatever names another process than the one that answers is a pooler; a plain relay is not', async () => {
  const pretended = await relay(true);
  expect((await assessAdministrator(serverFor(postgres, { administrator, port: pretended }), NEEDS)).problems).toEqual([
    {
      message: 'the connection to primary goes through a pooler',
      hint: expect.stringContaining('host and port') as string,
    },
  ]);
  // A tunnel or a published container port: another port than the server's, and direct all the same.
  const plain = await relay(false);
  expect((await assessAdministrator(serverFor(postgres, { administrator, port: plain }), NEEDS)).problems).toEqual([]);
  const replicas = [{ name: 'pooled', host: '127.0.0.1', port: pretended }];
  const { problems } = await assessAdministrator(serverFor(postgres, { administrator, replicas }), NEEDS);
  expect(problems[0]?.message).toBe('the connection to pooled goes through a pooler');
});

test('rows are not re-encrypted through a pooler: others would meet the settings and locks of the session', async () => {
  const through = async (port: number) =>
    serverFor(postgres, { administrator, port }).asAdministrator((client) => demandWritable(client));
  expect(await failureOf(through(await relay(true)))).toMatchObject({
    code: 'pooled',
    hint: expect.stringContaining('host and port') as string,
  });
  await through(await relay(false));
});

test('a primary that is not there is an error, not a finding', async () => {
  const port = await getPort({ host: '127.0.0.1' });
  expect(await failureOf(assessAdministrator(serverFor(postgres, { administrator, port }), NEEDS))).toMatchObject({
    code: 'database-unreachable',
    retryable: true,
  });
});

/** Passes bytes on; as a pooler it answers BackendKeyData (`K`, length 12) with a process number of its own. */
async function relay(asPooler: boolean): Promise<number> {
  const KEY_DATA = Buffer.from([0x4b, 0, 0, 0, 12]);
  const server = createServer((client) => {
    const upstream = connect(postgres.port, '127.0.0.1');
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      const at = bytes.indexOf(KEY_DATA);
      if (asPooler && at !== -1) bytes.writeInt32BE(987_654, at + KEY_DATA.length);
      client.write(bytes);
    });
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}
