import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { checkContext } from '../../src/activities/check-context.js';
import { withScope } from '../../src/activities/scope.js';
import { openServer } from '../../src/activities/swap/open-swap.js';
import { temporalSettings, type TemporalSettings } from '../../src/config.js';
import { withConnection } from '../../src/databases/connection.js';
import type pg from 'pg';
import { passwordClause } from '../../src/databases/access/sent-password.js';
import { isThisMachine, tlsOf } from '../../src/databases/encrypted.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** @returns its port, and what it was sent after its answer to the first message. */
async function serverThatSays(answer: Buffer): Promise<{ port: number; heard: () => string }> {
  let heard = '';
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(answer);
      socket.on('data', (data) => (heard += data.toString('latin1')));
    });
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  closing.push(() => server.close());
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, heard: () => heard };
}

/** @returns its port, and the first that it was sent; it says nothing to that. */
async function anyServer(): Promise<{ port: number; heard: () => string }> {
  let heard = '';
  const server = createServer((socket) => {
    socket.once('data', (data) => {
      heard += data.toString('latin1');
      socket.destroy();
    });
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  closing.push(() => server.close());
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, heard: () => heard };
}

/** SSLRequest. */
const TLS_PLEASE = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const CLEARTEXT_PLEASE = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
const at = (url: string, rest = {}) =>
  withConnection(
    { url: new SecretValue(url), label: 'variable APP_URL', node: null, database: null, login: null, ...rest },
    { limit: 5_000, signal: new AbortController().signal },
    (client) => client.query('SELECT 1'),
  );

test('a server that asks for the password in clear text does not get it', async () => {
  const server = await serverThatSays(CLEARTEXT_PLEASE);
  const url = `postgres://admin:Tall-Pine-40@127.0.0.1:${server.port}/app`;
  await expect(at(url)).rejects.toMatchObject({ code: 'cleartext-password' });
  await expect(new PostgresLedger(url).inspect()).rejects.toThrow();
  expect(server.heard()).not.toContain('Tall-Pine');
});

test('nothing is sent to another host without TLS: the URL alone does not give it up', async () => {
  await expect(at('postgres://a:b@db.test/app?sslmode=disable')).rejects.toMatchObject({
    code: 'database-not-encrypted',
  });
  await expect(at('postgres://a:b@db.test/app?sslmode=no-verify')).rejects.toMatchObject({
    code: 'database-not-encrypted',
  });
  await expect(
    at('postgres://a:b@localhost/app?sslmode=disable', { node: { name: 'r', host: '203.0.113.9', port: 1 } }),
  ).rejects.toMatchObject({ code: 'database-not-encrypted' });
});

describe('TLS', () => {
  const of = (asked: Parameters<typeof tlsOf>[0], host: string, word?: 'off' | 'unverified') =>
    tlsOf(asked, { host, label: 'variable X', word });

  test('is demanded, with a verified certificate, of any host that is not this machine', () => {
    for (const host of [
      'db',
      'db.example.test',
      '10.0.0.1',
      '192.0.2.7',
      '::2',
      '127.evil.test',
      'localhost.evil.test',
    ])
      expect(of(undefined, host)).toEqual({});
    expect(of({ ca: 'x' }, 'db')).toEqual({ ca: 'x' });
  });

  test('is given up by a word of the inventory', () => {
    expect(of(undefined, 'db', 'off')).toBe(false);
    expect(of(false, 'db', 'off')).toBe(false);
    expect(of({ ca: 'x' }, 'db', 'off')).toEqual({ ca: 'x' });
    expect(of(undefined, 'db', 'unverified')).toEqual({ rejectUnauthorized: false });
    expect(() => of(false, 'db', 'unverified')).toThrow('without TLS');
  });

  test('is not asked for on this machine', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1', '[::1]', '/var/run/postgresql', 'app.localhost'])
      expect([host, isThisMachine(host), of(undefined, host)]).toEqual([host, true, false]);
  });

  test('is asked of another host before anything is said to it, unless the word of the inventory comes along', async () => {
    // Leads to this machine, but is no name of it.
    const first = async (tls: 'off' | undefined, by: 'swap' | 'check'): Promise<string> => {
      const server = await anyServer();
      const variables = { ADMIN: `postgres://admin:Tall-Pine-40@0.0.0.0:${server.port}/app` };
      const ref = { env: 'ADMIN', ...(tls ? { tls } : {}) };
      const { signal } = new AbortController();
      const purpose = { run: 'r', execution: 'e', part: 'p', again: false };
      const connects = withScope(
        purpose,
        () => undefined,
        async () => {
          const plan = { server: { administrator: ref, database: null, replicas: [] } };
          const opened =
            by === 'swap'
              ? await openServer(plan, { variables }, signal)
              : await checkContext({ variables }, signal).serverOf(ref);
          await opened.asAdministrator((client) => client.query('SELECT 1'));
        },
      );
      await expect(connects).rejects.toThrow();
      return server.heard();
    };
    for (const by of ['swap', 'check'] as const) {
      expect([by, await first(undefined, by)]).toEqual([by, TLS_PLEASE.toString('latin1')]);
      expect(await first('off', by)).toContain('user\0admin');
    }
  });

  test("is not given up by the ledger's URL unless that says so", () => {
    expect(() => new PostgresLedger('postgres://a:b@db.test/l?sslmode=no-verify')).toThrow('verified certificate');
    expect(() => new PostgresLedger('postgres://a:b@db.test/l?sslmode=disable')).not.toThrow();
  });
});

test('a password is sent in clear where nobody on the way can read it, and nowhere else', () => {
  const sentTo = (host: string, ssl: pg.ClientConfig['ssl']) => () =>
    passwordClause({ host, ssl } as unknown as pg.Client, new SecretValue('Tall-Pine-40'));
  for (const [host, ssl] of [
    ['db.test', true],
    ['db.test', {}],
    ['127.0.0.1', false],
    ['/run/postgresql', false],
  ] as const)
    expect(sentTo(host, ssl)()).toMatchObject({ clause: `PASSWORD 'Tall-Pine-40'` });
  for (const ssl of [false, { rejectUnauthorized: false }])
    expect(sentTo('db.test', ssl)).toThrow(expect.objectContaining({ code: 'password-in-clear' }) as Error);
});

test("Temporal's key goes to another host over TLS only", () => {
  const settings = (connectionOptions: object) => () => ({ connectionOptions }) as TemporalSettings;
  const key = { apiKey: 'k', tls: false };
  expect(() => temporalSettings(settings({ ...key, address: 'temporal.test:7233' }))).toThrow('in clear text');
  expect(() => temporalSettings(settings({ metadata: { Authorization: 'x' }, address: 't.test:1' }))).toThrow();
  for (const fine of [
    { ...key, address: '127.0.0.1:7233' },
    { apiKey: 'k', address: 't.test:1' },
    { address: 't.test:1' },
  ])
    expect(() => temporalSettings(settings(fine))).not.toThrow();
});
