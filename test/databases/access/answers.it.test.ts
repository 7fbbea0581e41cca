/** What a server may answer on the way: that it is starting up, that it takes no verifier. */
import { connect, createServer, type AddressInfo } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { demandVerifierTaken } from '../../../src/databases/access/verifier-taken.js';
import { afterwards } from '../../support/afterwards.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { failureOf, prepare, serverFor } from './support.js';

let postgres: TestServer;
beforeAll(async () => {
  const running = await startVersion(18);
  if (typeof running === 'string') throw new Error(running);
  postgres = running;
  await prepare(postgres);
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

test('a server that wants to see passwords in clear is found before anything is changed', async () => {
  const refusing = await relay((sent) =>
    sent.includes("PASSWORD 'SCRAM-SHA-256$")
      ? Buffer.concat([failure('22023', 'password type is not a plain text'), answer('Z', 'E')])
      : null,
  );
  const error = await failureOf(demandVerifierTaken(serverFor(postgres, { port: refusing })));
  expect(error).toMatchObject({ code: 'verifier-refused', hint: expect.stringContaining('credcheck') as string });
  expect(error.message).toContain('password type is not a plain text');
  expect(error.message).not.toContain('SCRAM-SHA-256$');
  await demandVerifierTaken(serverFor(postgres));
  expect(await postgres.sql(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'keyturn_trial%'`)).toEqual([]);
});
