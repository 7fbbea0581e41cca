/** Servers, sessions and workers that do not behave: stuck backends, clients that come back, connections cut in mid-statement. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { setPassword } from '../../../src/databases/access/password.js';
import { proveLogin } from '../../../src/databases/access/prove-login.js';
import { watchRejectedLogins, type WatchProgress } from '../../../src/databases/access/rejected-logins.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { terminateSessions } from '../../../src/databases/access/sessions.js';
import type { Login, Server } from '../../../src/databases/server.js';
import type { KeyturnError } from '../../../src/domain/errors.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { connectAs, failureOf, inDatabase, newPassword, prepare, serverFor } from './support.js';
import { inDeep } from '../../support/deep.js';
import { goesOn } from '../../support/meanwhile.js';

let postgres: TestServer;
let server: Server;
let administrator: Login;
let v1: Login;
const { signal } = new AbortController();

beforeAll(async () => {
  const running = await startVersion(18, {
    ...{ logging_collector: 'on', log_filename: 'server-%Y-%m-%d_%H%M%S.log', log_line_prefix: '%m [%p] %h ' },
    ...{ log_rotation_size: '1MB', log_statement: 'all' },
  });
  if (typeof running === 'string') throw new Error(running);
  postgres = running;
  ({ administrator, v1 } = await prepare(postgres));
  server = serverFor(postgres, { administrator });
});

inDeep.test('a session that does not end is named, and ended when its server process moves again', async () => {
  const stuck = await connectAs(postgres, v1, 'stuck-report');
  const { rows } = await stuck.client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const { pid } = rows[0]!;
  const fine = await connectAs(postgres, v1, 'fine');
  process.kill(pid, 'SIGSTOP');
  try {
    const error = await failureOf(terminateSessions(server, 'app_v1'));
    expect(error).toMatchObject({ code: 'sessions-remain', effect: 'applied', retryable: true });
    expect(error.message).toMatch(/^1 session of app_v1 still there: 1 × stuck-report from 127\.0\.0\.1 on primary/);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await fine.ended;
  await terminateSessions(server, 'app_v1');
  await stuck.ended;
});

inDeep.test('a client that comes back at once is named: it may still log in', async () => {
  const over = new AbortController();
  // Each in a rhythm of its own: with one alone a look may fall between its end and its coming back.
  const pool = Promise.all(
    [10, 20, 30, 40, 50, 60, 70, 80].map(async (life): Promise<void> => {
      while (!over.signal.aborted) {
        // Ended while it signs in, it has none to show.
        const session = await connectAs(postgres, v1, 'tenacious-pool').catch(() => null);
        await Promise.race([session?.ended, sleep(life)]);
        await session?.close();
      }
    }),
  );
  try {
    const error = await failureOf(terminateSessions(server, 'app_v1'));
    expect(error).toMatchObject({ code: 'sessions-remain', effect: 'applied' });
    expect(error.message).toContain('tenacious-pool');
    expect(error.hint).toContain('may still log in');
  } finally {
    over.abort();
  }
  await terminateSessions(server, 'app_v1');
  await pool;
});

test('a password whose statement was cut off may or may not be set, says so, and the same call finishes it', async () => {
  const login = { user: 'app_v1', password: newPassword() };
  const verifier = scramVerifier(login.password, 'app_v1 cut');
  const blocker = await connectAs(postgres, { user: 'postgres', password: postgres.password }, 'blocker');
  await blocker.client.query('BEGIN');
  await blocker.client.query('ALTER ROLE app_v1 CONNECTION LIMIT -1');
  const setting = failureOf(setPassword(server, 'app_v1', verifier));
  const waiting = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keyturn' AND wait_event_type = 'Lock'`;
  while ((await postgres.sql(waiting)).length === 0) await sleep(20);
  expect(await setting).toMatchObject({ code: 'query-failed', effect: 'unknown', retryable: true });
  await blocker.client.query('ROLLBACK');
  await blocker.close();
  await setPassword(server, 'app_v1', verifier);
  await setPassword(server, 'app_v1', verifier);
  await proveLogin(server, login, { probe: null });
  v1 = login;
});

test('many workers setting the same password at once: each succeeds, or may simply try again', async () => {
  const verifier = scramVerifier(v1.password, 'app_v1 at once');
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => setPassword(server, 'app_v1', verifier)));
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ retryable: true, effect: 'none' });
  }
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  await proveLogin(server, v1, { probe: null });
});

test('a proof does not queue behind a migration, and may be repeated', async () => {
  const migration = await connectAs(postgres, { user: 'postgres', password: postgres.password }, 'migration');
  await migration.client.query('BEGIN');
  await migration.client.query('LOCK TABLE notes');
  for (const probe of [null, `INSERT INTO notes (text) VALUES ('x')`]) {
    const error = await failureOf(proveLogin(server, v1, { probe }));
    expect(error).toMatchObject({ code: 'query-failed', effect: 'none', retryable: true });
    expect(error.message).toContain('55P03');
  }
  await migration.close();
  await proveLogin(server, v1, { probe: null });
});

test('a proof fires no trigger that runs without a row, and knows odd tables', async () => {
  await inDatabase(
    postgres,
    'CREATE SCHEMA "Odd Schema"; GRANT USAGE ON SCHEMA "Odd Schema" TO app_v1',
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$`,
    'CREATE TABLE guarded (id int); GRANT ALL ON guarded TO app_v1',
    'CREATE TRIGGER guard BEFORE DELETE ON guarded EXECUTE FUNCTION refuse()',
    'CREATE TABLE "Odd Schema"."T ""1" (a int GENERATED ALWAYS AS IDENTITY, b int GENERATED ALWAYS AS (1) STORED)',
    'GRANT INSERT, UPDATE (a), DELETE ON "Odd Schema"."T ""1" TO app_v1',
    'CREATE DOMAIN word AS text NOT NULL; CREATE TABLE typed (w word, at timestamptz DEFAULT now()) PARTITION BY LIST (w)',
    'GRANT INSERT (at), UPDATE (w) ON typed TO app_v1',
    'CREATE TABLE closed (id int); GRANT SELECT ON closed TO app_v1',
  );
  const { facts } = await proveLogin(server, v1, { probe: null });
  // notes: 3; odd: UPDATE and DELETE, for there is no column that an INSERT may name; typed: INSERT and UPDATE.
  expect(facts).toMatchObject({ tables: 3, statements: 7 });
});

test('rejected log-ins are counted over a change of log files, and not in what somebody else wrote', async () => {
  const watcher = serverFor(postgres);
  await postgres.sql('ALTER ROLE app_v1 NOLOGIN');
  const reject = (): Promise<KeyturnError> => failureOf(serverFor(postgres).as(v1, () => Promise.resolve()));
  const looks: WatchProgress[] = [];
  const onProgress = (each: WatchProgress): unknown => looks.push(each);
  const seen = watchRejectedLogins(watcher, 'app_v1', { milliseconds: 3_000, signal, onProgress });
  await expect.poll(() => looks.length).toBeGreaterThan(0);
  await reject();
  const files = async (): Promise<unknown> =>
    (await postgres.sql('SELECT count(*) AS of FROM pg_ls_logdir()'))[0]!['of'];
  const before = await files();
  await postgres.sql('SELECT pg_rotate_logfile()');
  await expect.poll(files).not.toBe(before);
  await reject();
  await postgres.sql(`SELECT 'x\nFATAL:  role "app_v1" is not permitted to log in\n'`);
  expect(await seen).toMatchObject({ readable: true, rejected: 2, from: ['127.0.0.1'] });
  await postgres.sql('ALTER ROLE app_v1 LOGIN');
});

test('a log that becomes readable during a watch is counted from there, not from its beginning', async () => {
  const blind = server;
  const progress: WatchProgress[] = [];
  const onProgress = (each: WatchProgress): unknown => progress.push(each);
  await postgres.sql('ALTER ROLE app_v1 NOLOGIN');
  await failureOf(serverFor(postgres).as(v1, () => Promise.resolve()));
  await watchRejectedLogins(blind, 'app_v1', { milliseconds: 0, signal, onProgress });
  await inDatabase(
    postgres,
    'GRANT pg_monitor TO keyturn',
    'GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO keyturn',
  );
  const resume = progress.at(-1)!;
  expect(resume.places).toEqual({});
  const looks = progress.length;
  const seen = watchRejectedLogins(blind, 'app_v1', { milliseconds: 1_000, signal, resume, onProgress });
  await expect.poll(() => progress.length).toBeGreaterThan(looks);
  await failureOf(serverFor(postgres).as(v1, () => Promise.resolve()));
  expect(await seen).toMatchObject({ readable: true, rejected: 1 });
  await postgres.sql('ALTER ROLE app_v1 LOGIN');
});

test('a watch that is aborted ends at once, with its progress told', async () => {
  const controller = new AbortController();
  const told: WatchProgress[] = [];
  const watching = watchRejectedLogins(serverFor(postgres), 'app_v1', {
    ...{ milliseconds: 600_000, signal: controller.signal },
    onProgress: (progress) => told.push(progress),
  });
  await goesOn(watching, 500);
  const started = performance.now();
  controller.abort(new Error('cancelled'));
  await expect(watching).rejects.toThrow('cancelled');
  expect(performance.now() - started).toBeLessThan(60_000);
  expect(told.length).toBeGreaterThan(0);
});

test('a watch that another worker has finished all but a moment of ends after that moment', async () => {
  const started = performance.now();
  await watchRejectedLogins(serverFor(postgres), 'app_v1', { milliseconds: 600_000, alreadyElapsed: 599_800, signal });
  expect(performance.now() - started).toBeLessThan(60_000);
});

inDeep.test('a server without log files, and one that stops meanwhile, are answers, not errors', async () => {
  const plain = await startVersion(18);
  if (typeof plain === 'string') throw new Error(plain);
  await plain.sql('CREATE DATABASE app');
  const watch = () => watchRejectedLogins(serverFor(plain), 'app_v1', { milliseconds: 200, signal });
  expect(await watch()).toMatchObject({ readable: false });
  expect((await watch()).summary).toContain('logging_collector is off');
  const controller = new AbortController();
  const stopping = watchRejectedLogins(serverFor(plain), 'app_v1', { milliseconds: 1_500, signal: controller.signal });
  await plain.stop();
  const stopped = await stopping;
  expect(stopped).toMatchObject({ readable: false, rejected: 0 });
  expect(stopped.summary).toContain('cannot be reached');
});
