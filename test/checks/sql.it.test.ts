import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askSql } from '../../src/checks/sql.js';
import { countSessions, revokeSessions, tryRevocation } from '../../src/checks/sessions.js';
import { makeHostile, type HostileDatabase } from '../support/hostile-database.js';
import { freshDatabase, freshRoleName } from '../support/servers.js';
import { contextWith, failureOf } from './contexts.js';
import { planned } from './planned.js';

const database = { env: 'APP_URL' };
let variables: Record<string, string>;
let administrator: pg.Client;
let application: HostileDatabase;

beforeAll(async () => {
  const { url } = await freshDatabase('sessions');
  application = await makeHostile(url, freshRoleName('sessions'));
  variables = { APP_URL: url };
  administrator = new pg.Client({ connectionString: url });
  await administrator.connect();
  await administrator.query('CREATE TABLE user_sessions (sid int PRIMARY KEY); CREATE TABLE refresh_tokens (id int)');
});
afterAll(async () => {
  await administrator.end();
});

function ask(query: string, expect: object = {}, more: object = {}) {
  return askSql(planned('sql', { database, query, expect, ...more }), contextWith(variables));
}

describe('a sql check', () => {
  test('counts of any width are numbers', async () => {
    const counts = ['count(*)', 'sum(n)', '12::numeric', '12::int2', '12.0::float8'];
    for (const value of counts) {
      const query = `SELECT ${value} FROM generate_series(1, 12) n ${value.startsWith('count') ? '' : 'WHERE n = 12 GROUP BY n'}`;
      expect(await ask(query, { value: { atLeast: 12, atMost: 12 } })).toMatchObject({ passed: true });
    }
  });

  test('no row is a missing value', async () => {
    expect(await ask('SELECT 1 WHERE false', { rows: 0, value: { exists: false } })).toMatchObject({ passed: true });
    expect((await ask('SELECT 1 WHERE false', { value: 1 })).summary).toBe(
      'query answered: the value is missing, expected 1',
    );
  });

  test('a text that could be data is described, not shown', async () => {
    expect((await ask(`SELECT 'row-4711-of-somebody'`, { value: 'ok' })).summary).toContain('a text of 20 characters');
  });

  test('nothing can be written, also not after an attempt to leave the transaction', async () => {
    expect((await ask('INSERT INTO user_sessions VALUES (1)')).summary).toContain('read-only transaction');
    expect((await ask('COMMIT; INSERT INTO user_sessions VALUES (1)')).passed).toBe(false);
    expect((await administrator.query('SELECT * FROM user_sessions')).rowCount).toBe(0);
  });

  test('an error of the statement is told with its SQLSTATE', async () => {
    expect((await ask('SELECT * FROM no_such_table')).summary).toBe(
      'query: the statement failed (42P01): relation "no_such_table" does not exist',
    );
  });

  test('a statement that runs too long is ended on the server too', async () => {
    expect((await ask('SELECT pg_sleep(987)', {}, { timeout: '400ms' })).passed).toBe(false);
    const running = `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%987%' AND state = 'active' AND pid <> pg_backend_pid()`;
    await expect.poll(async () => (await administrator.query(running)).rowCount).toBe(0);
  });
});

test('what the application has hung on its tables runs with no right but its own', async () => {
  await administrator.query('INSERT INTO user_sessions SELECT generate_series(1, 3)');
  expect(await ask('SELECT count(*) FROM hostile.window WHERE lower(body) IS NOT NULL', { value: 3 })).toMatchObject({
    passed: true,
  });
  const revocation = {
    count: 'SELECT count(*) FROM user_sessions WHERE hostile.yes()',
    revoke: 'DELETE FROM user_sessions',
  };
  expect(await revokeSessions(database, revocation, contextWith(variables))).toEqual({
    before: 3,
    after: 0,
    revoked: 3,
  });
  expect(await application.attacks()).toBeGreaterThanOrEqual(6);
  await application.assertHarmless();
});

describe('what is wrong with a database URL is told without the URL', () => {
  const password = 'planted#Pass/word@9';
  const port = (): number => Number(new URL(variables.APP_URL ?? '').port);
  const dead = 9;

  test.each([
    ['no URL at all', () => password, 'does not hold a PostgreSQL URL'],
    ['another kind', () => `mysql://app:${password}@localhost/app`, 'does not hold a PostgreSQL URL'],
    ['a space', () => `postgres://app:${password} @localhost/app`, 'does not hold a PostgreSQL URL'],
    ['a bad port', () => `postgres://app:${password}@localhost:99999999/app`, 'does not hold a PostgreSQL URL'],
    ['unescaped characters', () => `postgres://app:${password}@127.0.0.1:${port()}/app`, ''],
    [
      'nobody there',
      () => `postgres://app:${encodeURIComponent(password)}@127.0.0.1:${dead}/app`,
      'connection refused',
    ],
    ['no such host', () => `postgres://app:${encodeURIComponent(password)}@no-such.invalid/app`, 'host name not found'],
    [
      'a wrong role',
      () => `postgres://nobody:${encodeURIComponent(password)}@127.0.0.1:${port()}/app`,
      'the server does not',
    ],
    ['a wrong database', () => variables.APP_URL?.replace(/\/[^/]*$/, '/planted_name') ?? '', 'no such database'],
  ])('%s', async (_, url, words) => {
    const check = planned('sql', { database, query: 'SELECT 1', expect: {} });
    const { passed, summary } = await askSql(check, contextWith({ APP_URL: url() }));
    expect(passed).toBe(false);
    expect(summary).toContain(words);
    expect(summary).toContain('variable APP_URL');
    expect(summary).not.toMatch(/planted|Pass|word@/);
  });

  test('a server that accepts the connection and says nothing does not hold up the answer', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `postgres://app:secret-word@127.0.0.1:${(silent.address() as AddressInfo).port}/app`;
    const check = planned('sql', { database, query: 'SELECT 1', expect: {}, timeout: '300ms' });
    const { summary } = await askSql(check, contextWith({ APP_URL: url }));
    expect(summary).toBe('query: the database of the variable APP_URL did not answer within 300 ms');
    silent.close();
  });
});

describe('sessions', () => {
  const count = 'SELECT count(*) FROM user_sessions';
  const seed = (rows: number) =>
    administrator.query(
      `TRUNCATE user_sessions, refresh_tokens; INSERT INTO user_sessions SELECT generate_series(1, ${rows})`,
    );

  test('are counted', async () => {
    await seed(7);
    expect(await countSessions(database, count, contextWith(variables))).toBe(7);
  });

  test('are all ended, with the counts before and after', async () => {
    await seed(5);
    const statements = { count, revoke: 'DELETE FROM user_sessions' };
    expect(await revokeSessions(database, statements, contextWith(variables))).toEqual({
      before: 5,
      after: 0,
      revoked: 5,
    });
    expect(await revokeSessions(database, statements, contextWith(variables))).toEqual({
      before: 0,
      after: 0,
      revoked: 0,
    });
  });

  test('tried in advance changes nothing, and finds a missing right, table or an end of the transaction', async () => {
    const tried = (revoke: string) => tryRevocation(database, { count, revoke }, contextWith(variables));
    await administrator.query('INSERT INTO user_sessions SELECT generate_series(1, 5) ON CONFLICT DO NOTHING');
    expect(
      await tried("DELETE FROM user_sessions WHERE 'it''s \\' <> ''; SELECT 1; DELETE FROM refresh_tokens -- all"),
    ).toBe(5);
    expect(await countSessions(database, count, contextWith(variables))).toBe(5);
    for (const [revoke, why] of [
      ['DELETE FROM no_such_table', /no_such_table/],
      ['DELETE FROM user_sessions; COMMIT', /transaction/],
    ] as const) {
      expect((await failureOf(tried(revoke))).message).toMatch(why);
      expect(await countSessions(database, count, contextWith(variables))).toBe(5);
    }
    await administrator.query(
      "DROP ROLE IF EXISTS reads_sessions; CREATE ROLE reads_sessions LOGIN PASSWORD 'only-reads-the-sessions'; GRANT SELECT ON user_sessions TO reads_sessions",
    );
    const url = new URL(variables['APP_URL'] ?? '');
    [url.username, url.password] = ['reads_sessions', 'only-reads-the-sessions'];
    const reads = contextWith({ APP_URL: url.href });
    const refused = await failureOf(tryRevocation(database, { count, revoke: 'DELETE FROM user_sessions' }, reads));
    expect(refused.message).toContain('permission denied for table user_sessions');
    await administrator.query('DROP OWNED BY reads_sessions; DROP ROLE reads_sessions');
  });

  test('may need several statements: all of them or none', async () => {
    await seed(3);
    await administrator.query('INSERT INTO refresh_tokens VALUES (1), (2)');
    const both = 'DELETE FROM user_sessions; DELETE FROM refresh_tokens';
    const broken = { count, revoke: 'DELETE FROM user_sessions; DELETE FROM no_such_table' };
    const error = await failureOf(revokeSessions(database, broken, contextWith(variables)));
    expect(error).toMatchObject({ code: 'query-failed', effect: 'none' });
    expect(await countSessions(database, count, contextWith(variables))).toBe(3);
    expect(await revokeSessions(database, { count, revoke: both }, contextWith(variables))).toMatchObject({
      revoked: 5,
    });
  });

  test('ended by a function count as the difference', async () => {
    await seed(4);
    await administrator.query(`CREATE FUNCTION end_all() RETURNS void LANGUAGE sql AS 'DELETE FROM user_sessions'`);
    const statements = { count, revoke: 'SELECT end_all()' };
    expect(await revokeSessions(database, statements, contextWith(variables))).toEqual({
      before: 4,
      after: 0,
      revoked: 4,
    });
  });

  test.each(['SELECT 1 WHERE false', `SELECT 'many'`, 'SELECT NULL', 'SELECT -1', 'SELECT 1.5'])(
    'a count that is none (%s) stops the revocation before it changes anything',
    async (bad) => {
      await seed(2);
      const statements = { count: bad, revoke: 'DELETE FROM user_sessions' };
      const error = await failureOf(revokeSessions(database, statements, contextWith(variables)));
      expect(error).toMatchObject({ code: 'bad-count', effect: 'none' });
      expect(await countSessions(database, count, contextWith(variables))).toBe(2);
    },
  );

  test('a connection that is lost before the commit has changed nothing, and says so', async () => {
    await seed(2);
    const revoke = 'DELETE FROM user_sessions; SET ROLE NONE; SELECT pg_terminate_backend(pg_backend_pid())';
    const error = await failureOf(revokeSessions(database, { count, revoke }, contextWith(variables)));
    expect(error).toMatchObject({ effect: 'none', retryable: true });
    expect(await countSessions(database, count, contextWith(variables))).toBe(2);
  });

  test('an abort breaks the revocation off', async () => {
    await seed(2);
    const controller = new AbortController();
    const statements = { count, revoke: 'SELECT pg_sleep(20)' };
    const revoking = revokeSessions(database, statements, contextWith(variables, controller.signal));
    setTimeout(() => controller.abort(new Error('cancelled')), 200);
    await expect(revoking).rejects.toThrow('cancelled');
  });
});
