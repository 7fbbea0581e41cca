import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { openReader } from '../../src/ciphers/open-cipher.js';
import { reencryptAtomically, type AtomicColumn, type AtomicOptions } from '../../src/reencryption/atomic.js';
import { fernetToken } from '../ciphers/support.js';
import {
  createWorld,
  expectAllNew,
  expectCounts,
  failureOf,
  FERNET,
  oldRows,
  underNew,
  type World,
} from './support.js';

let world: World;

beforeAll(async () => {
  world = await createWorld('atomic');
});

async function columnOf(table: string, column?: string): Promise<AtomicColumn> {
  const facts = await world.facts(table, column);
  return { facts, reencryptor: world.cipher(), reader: openReader(FERNET, world.next) };
}

async function run(tables: readonly string[], more: Partial<AtomicOptions> = {}) {
  const columns = await Promise.all(tables.map((table) => columnOf(table)));
  return reencryptAtomically({ server: world.server(), columns, ...more });
}

/** Every byte of every row, in order. */
async function digestOf(table: string): Promise<unknown> {
  const [row] = await world.sql(
    `SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY id)) AS md5, min(xmin::text) AS xmin FROM ${table} t`,
  );
  return row;
}

test('all columns come over together, each verified, and a second call changes nothing', async () => {
  await world.table('one', oldRows(world, 3_000));
  await world.table('two', [null, Buffer.alloc(0), ...oldRows(world, 10), fernetToken(world.next, 'new already')]);
  const { columns } = await run(['one', 'two']);
  expect(columns.map(({ name, verified }) => ({ name, verified }))).toEqual([
    { name: 'public.one.encrypted_value', verified: 3_000 },
    { name: 'public.two.encrypted_value', verified: 11 },
  ]);
  expectCounts(columns[0]!.counts, { read: 3_000, reencrypted: 3_000 });
  expectCounts(columns[1]!.counts, { read: 13, reencrypted: 10, alreadyNew: 1, empty: 2 });
  await expectAllNew(world, 'one', 3_000);
  const before = [await digestOf('one'), await digestOf('two')];
  const again = await run(['one', 'two']);
  expectCounts(again.columns[0]!.counts, { read: 3_000, alreadyNew: 3_000 });
  expectCounts(again.columns[1]!.counts, { read: 13, alreadyNew: 11, empty: 2 });
  expect([await digestOf('one'), await digestOf('two')]).toEqual(before);
});

test('two columns of one table come over in one transaction', async () => {
  await world.table('pair', oldRows(world, 50));
  await world.sql('ALTER TABLE pair ADD COLUMN refresh_token text');
  await world.sql('UPDATE pair SET refresh_token = n.v FROM unnest($1::text[]) WITH ORDINALITY n(v, o) WHERE id = o', [
    oldRows(world, 50).map(String),
  ]);
  const columns = [await columnOf('pair'), await columnOf('pair', 'refresh_token')];
  const result = await reencryptAtomically({ server: world.server(), columns });
  expect(result.columns.map(({ verified }) => verified)).toEqual([50, 50]);
  const rows = await world.sql('SELECT encrypted_value AS a, refresh_token AS b, xmin::text FROM pair');
  for (const { a, b } of rows) expect([underNew(world, a as string), underNew(world, b as string)]).not.toContain(null);
  expect(new Set(rows.map((row) => row['xmin'])).size).toBe(1);
});

describe('a failure at the last row leaves every byte as it was, in every table, and services read all the while:', () => {
  const last = 2_600;

  async function untouched(prepare: () => Promise<unknown>, code: string, more: Partial<AtomicOptions> = {}) {
    await world.sql('DROP TABLE IF EXISTS first_table, last_table CASCADE');
    await world.table('first_table', oldRows(world, 500));
    await world.table('last_table', oldRows(world, last));
    await prepare();
    const before = [await digestOf('first_table'), await digestOf('last_table')];
    const service = await world.connect();
    let reads = 0;
    let slowest = 0;
    const attempt = { over: false };
    const serving = (async () => {
      while (!attempt.over) {
        const started = performance.now();
        const { rows } = await service.query<{ v: string }>('SELECT encrypted_value AS v FROM last_table WHERE id = 7');
        slowest = Math.max(slowest, performance.now() - started);
        // Never a value that is not committed: to the service its old key reads everything.
        expect(openReader(FERNET, world.old).reads(Buffer.from(rows[0]!.v), null)).toBe(true);
        reads += 1;
        await sleep(5);
      }
    })();
    const error = await failureOf(run(['first_table', 'last_table'], more));
    attempt.over = true;
    await serving;
    expect(error).toMatchObject({ code, effect: 'none' });
    expect([await digestOf('first_table'), await digestOf('last_table')]).toEqual(before);
    expect(reads).toBeGreaterThan(3);
    expect(slowest).toBeLessThan(5_000);
    await service.end();
    return error;
  }

  test('it reads under neither key', async () => {
    const error = await untouched(
      () => world.sql(`UPDATE last_table SET encrypted_value = 'broken' WHERE id = ${last}`),
      'unreadable-rows',
    );
    expect(error.message).toContain(`1 row reads under neither key: id=${last}`);
  });

  test('many read under neither key: some are named, more are in the diagnosis', async () => {
    const error = await untouched(
      () => world.sql(`UPDATE last_table SET encrypted_value = 'broken' WHERE id > ${last - 40}`),
      'unreadable-rows',
    );
    expect(error.message).toMatch(/40 rows read under neither key: id=2561; .*; …$/);
    expect(error.diagnosis?.split('\n')).toHaveLength(40);
  });

  test('a constraint refuses it: which one is told, and no value', async () => {
    const error = await untouched(
      () =>
        world.sql(
          `ALTER TABLE last_table ADD CONSTRAINT only_once CHECK (id < ${last} OR used_at IS NOT NULL) NOT VALID`,
        ),
      'query-failed',
    );
    expect(error.message).toBe('the statement failed (23514): constraint only_once of public.last_table');
  });

  test('a trigger raises an error', async () => {
    await untouched(
      () =>
        world.sql(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = ${last} THEN RAISE ''no''; END IF; RETURN NEW; END';
        CREATE TRIGGER refuse BEFORE UPDATE ON last_table FOR EACH ROW EXECUTE FUNCTION refuse()`),
      'query-failed',
    );
  });

  test('a trigger keeps it from being written', async () => {
    await untouched(
      () =>
        world.sql(`CREATE OR REPLACE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = ${last} THEN RETURN NULL; END IF; RETURN NEW; END';
        CREATE TRIGGER skip BEFORE UPDATE ON last_table FOR EACH ROW EXECUTE FUNCTION skip()`),
      'not-written',
    );
  });

  test('a trigger writes something else', async () => {
    const error = await untouched(
      () =>
        world.sql(`CREATE OR REPLACE FUNCTION garble() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = ${last} THEN NEW.encrypted_value := lower(NEW.encrypted_value); END IF; RETURN NEW; END';
        CREATE TRIGGER garble BEFORE UPDATE ON last_table FOR EACH ROW EXECUTE FUNCTION garble()`),
      'not-verified',
    );
    expect(error.message).toContain(`1 do not (id=${last})`);
  });

  test('the connection is cut after the last page', async () => {
    await untouched(() => Promise.resolve(), 'query-failed', {
      onProgress({ counts }) {
        if (counts.read !== last) return;
        void world.sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyturn' AND datname = current_database()`,
        );
      },
    });
  });
});

test('a run that is cancelled is rolled back', async () => {
  await world.table('cancelled', oldRows(world, 3_000));
  const before = await digestOf('cancelled');
  const controller = new AbortController();
  const columns = [await columnOf('cancelled')];
  const running = reencryptAtomically({
    ...{ server: world.server(controller.signal), columns },
    onProgress: () => controller.abort(new Error('cancelled')),
  });
  await expect(running).rejects.toThrow('cancelled');
  // The server notices that nobody is there any more when it next reads or writes.
  await expect
    .poll(() =>
      world.sql(`SELECT FROM pg_stat_activity WHERE application_name = 'keyturn' AND datname = current_database()`),
    )
    .toEqual([]);
  expect(await digestOf('cancelled')).toEqual(before);
});

test('whoever holds the table is named, and the call can be made again', async () => {
  await world.table('busy', oldRows(world, 5));
  const app = await world.connect();
  await app.query('BEGIN');
  await app.query('UPDATE busy SET used_at = now() WHERE id = 1');
  const error = await failureOf(run(['busy'], { lockWait: 200 }));
  expect(error).toMatchObject({ code: 'table-locked', effect: 'none', retryable: true });
  expect(error.message).toMatch(
    /"?public"?\."?busy"? could not be held against writers within 200ms: arena-app \(postgres, pid \d+, idle in transaction for /,
  );
  await app.query('COMMIT');
  const { columns } = await run(['busy']);
  expectCounts(columns[0]!.counts, { read: 5, reencrypted: 5 });
});

test('a writer that comes meanwhile waits, and its write stays', async () => {
  await world.table('written', oldRows(world, 3_000));
  const app = await world.connect();
  const token = fernetToken(world.next, 'written meanwhile').toString();
  const meanwhile: { writing?: Promise<unknown> } = {};
  await run(['written'], {
    onProgress: () =>
      void (meanwhile.writing ??= app.query('UPDATE written SET encrypted_value = $1 WHERE id = 3000', [token])),
  });
  await meanwhile.writing;
  const values = await world.values('written');
  expect(values[2_999]).toBe(token);
  expect(values.map((value) => underNew(world, value))).not.toContain(null);
});

test('an answer to the commit that is lost: the effect is unknown, and a second call finds everything new', async () => {
  await world.table('lost', oldRows(world, 20));
  // Deferred to the commit, where it waits for as long as it takes to cut the connection.
  await world.sql(`CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON lost DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 20) EXECUTE FUNCTION linger()`);
  const error = await failureOf(run(['lost'], { limit: 1_000 }));
  expect(error).toMatchObject({ code: 'database-timeout', effect: 'unknown' });
  await expect.poll(async () => underNew(world, (await world.values('lost'))[0]!), { timeout: 30_000 }).not.toBeNull();
  const { columns } = await run(['lost']);
  expectCounts(columns[0]!.counts, { read: 20, alreadyNew: 20 });
});
