import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { sweep } from '../../src/reencryption/sweep.js';
import { createThrottle } from '../../src/reencryption/throttle.js';
import { columnFacts } from '../../src/reencryption/column-facts.js';
import { openReencryptor } from '../../src/ciphers/open-cipher.js';
import { startReplica, startVersion } from '../support/postgres-versions.js';
import { serverFor } from '../databases/access/support.js';
import { fernetToken } from '../ciphers/support.js';
import { createWorld, expectCounts, FERNET, oldRows, type World } from './support.js';
import { stays } from '../support/meanwhile.js';

let world: World;
const { signal } = new AbortController();
const EASY = { maxLag: '10s', maxActive: 64, rest: 0 } as const;

beforeAll(async () => {
  world = await createWorld('throttle');
});

/** So many sleep on the server. */
async function atWork(many: number): Promise<void> {
  const asleep = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`;
  await expect.poll(() => world.sql(asleep)).toHaveLength(many);
}

test('a share of the time is spent resting', async () => {
  const client = await world.connect();
  const throttle = createThrottle({ spec: { ...EASY, rest: 0.75 }, signal });
  const started = performance.now();
  for (let page = 0; page < 10; page += 1) await throttle.hold(client, 20);
  // 10 × 20 ms of work at three quarters of rest: 600 ms.
  expect(performance.now() - started).toBeGreaterThan(550);
  expect(performance.now() - started).toBeLessThan(20_000);
});

test('nothing is written while too many sessions are at work, ours not counted', async () => {
  await world.table('crowded', oldRows(world, 500));
  const apps = await Promise.all([world.connect(), world.connect()]);
  const working = Promise.all(apps.map((app) => app.query('SELECT pg_sleep(2)')));
  await atWork(2);
  const said: (string | null)[] = [];
  const throttle = createThrottle({ spec: { ...EASY, maxActive: 1 }, signal, onHeld: (why) => said.push(why) });
  const started = performance.now();
  const { counts } = await sweep({
    server: world.server(),
    facts: await world.facts('crowded'),
    reencryptor: world.cipher(),
    throttle,
  });
  expect(performance.now() - started).toBeGreaterThan(1_000);
  expectCounts(counts, { read: 500, reencrypted: 500 });
  expect(said[0]).toBe('2 sessions are at work, 1 at most are wished for');
  expect(said.at(-1)).toBeNull();
  await working;
});

test('a wait ends when the run does', async () => {
  await world.table('stopped', oldRows(world, 5_000));
  const app = await world.connect();
  const working = app.query('SELECT pg_sleep(3)');
  const controller = new AbortController();
  const throttle = createThrottle({
    spec: { ...EASY, maxActive: 1 },
    signal: controller.signal,
    onHeld: () => controller.abort(new Error('stopped')),
  });
  const another = world.connect().then((client) => client.query('SELECT pg_sleep(3)'));
  await atWork(2);
  const running = sweep({
    server: world.server(controller.signal),
    facts: await world.facts('stopped'),
    reencryptor: world.cipher(),
    throttle,
  });
  await expect(running).rejects.toThrow('stopped');
  await Promise.all([working, another]);
});

test('nothing is written while a replica is behind, and it goes on when the replica has caught up', async () => {
  const primary = await startVersion(18, { wal_level: 'replica', max_wal_senders: '4' });
  if (typeof primary === 'string') throw new Error(primary);
  const replica = await startReplica(primary);
  await primary.sql('CREATE TABLE api_credentials (id int PRIMARY KEY, encrypted_value text)');
  const token = fernetToken(world.old, 'x').toString();
  await primary.sql(`INSERT INTO api_credentials SELECT n, '${token}' FROM generate_series(1, 3000) n`);
  await replica.caughtUp();
  await replica.pauseReplay();
  const server = serverFor(primary, { database: 'postgres', touched: ['public.api_credentials'] });
  const facts = await columnFacts({
    server,
    column: { table: 'api_credentials', column: 'encrypted_value', path: null, where: null, format: FERNET },
  });
  const said: (string | null)[] = [];
  const throttle = createThrottle({
    spec: { ...EASY, maxLag: '1s', rest: 0.9 },
    signal,
    onHeld: (why) => said.push(why),
  });
  let read = 0;
  // As if each page took 10 ms, and nine times that at rest, for 60 pages: something is left to do when the lag is noticed.
  const paced = { hold: (client: pg.Client) => throttle.hold(client, 10) };
  const running = sweep({
    ...{ server, facts, throttle: paced, pageRows: 50 },
    reencryptor: openReencryptor(FERNET, { from: world.old, to: world.next }),
    onProgress: ({ counts }) => (read = counts.read),
  });
  await expect.poll(() => said.length, { timeout: 30_000 }).toBeGreaterThan(0);
  expect(said[0]).toMatch(/^replica .* is .*s behind$/);
  const held = read;
  expect(held).toBeLessThan(3_000);
  await stays(1_500, () => {
    expect(read).toBe(held);
  });
  await replica.resumeReplay();
  expectCounts((await running).counts, { read: 3_000, reencrypted: 3_000 });
  expect(said.at(-1)).toBeNull();
});
