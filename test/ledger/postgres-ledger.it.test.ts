import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { migrateLedger } from '../../src/ledger/ledger-owner.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { freshLedger } from '../support/ledgers.js';
import { entry } from './entries.js';

/** The worker's. */
let url: string;
let ownerUrl: string;
let role: string;
let ledger: PostgresLedger;
const opened: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  ({ url, ownerUrl, role } = await freshLedger('ledger', { migrated: false }));
  ledger = open(url);
});

afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

function open(address: string): PostgresLedger {
  const made = new PostgresLedger(address);
  opened.push(made);
  return made;
}

const migrate = (): Promise<void> => migrateLedger(ownerUrl, role);

/** As a superuser would. */
async function sql(statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement, values)).rows;
  } finally {
    await client.end();
  }
}

async function failure(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => new Error('it should have failed'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  return error as KeyturnError;
}

describe('migrations', () => {
  test('two who migrate at the same moment, ten times: one makes the tables, both find them ready, and so does a worker', async () => {
    // The same connection in every round: what it remembers of a schema that is not there must not be believed.
    const worker = open(url);
    for (let round = 0; round < 10; round++) {
      await sql('DROP SCHEMA IF EXISTS keyturn CASCADE');
      expect(await failure(worker.inspect())).toMatchObject({ code: 'ledger-misconfigured' });
      await Promise.all([migrate(), migrate()]);
      expect(await worker.inspect()).toEqual([]);
      expect(await sql('SELECT version, name FROM keyturn.migrations')).toEqual([{ version: 1, name: 'rotations' }]);
    }
  });

  test('a second migration changes nothing', async () => {
    await migrate();
    await ledger.append(entry(1));
    const before = await sql('SELECT * FROM keyturn.migrations');
    await migrate();
    expect(await sql('SELECT * FROM keyturn.migrations')).toEqual(before);
    await ledger.append(entry(2));
    expect(await ledger.verify()).toMatchObject({ intact: true, rows: 2 });
  });

  test('a schema that a newer Keyturn has upgraded is refused', async () => {
    await migrate();
    await sql(`INSERT INTO keyturn.migrations (version, name) VALUES (99, 'from the future')`);
    const error = await failure(open(url).inspect());
    expect(error).toMatchObject({ code: 'ledger-newer', retryable: false });
    expect(error.message).toBe('the ledger has schema version 99, this Keyturn knows versions up to 1');
  });

  test('before the first migration every call says what to do', async () => {
    expect(await failure(ledger.list())).toMatchObject({
      code: 'ledger-misconfigured',
      hint: 'as the owner of its tables, with KEYTURN_LEDGER_OWNER_URL set: keyturn ledger migrate --grant-to ROLE',
    });
  });
});

describe('reading', () => {
  beforeEach(migrate);

  test('a ledger of years comes in pages, each row once, and so do the newest of it', async () => {
    await ledger.append(entry(1));
    await sql(`INSERT INTO keyturn.rotations SELECT (jsonb_populate_record(r, jsonb_build_object(
      'sequence', n, 'request_id', 'run-' || n, 'secret', 'S' || n % 2, 'previous_hash', md5(n::text) || md5(n::text), 'hash', md5((n + 1)::text) || md5((n + 1)::text)))).*
      FROM keyturn.rotations r, generate_series(2, 1203) n`);
    const sizes: number[] = [];
    const seen: number[] = [];
    for await (const page of ledger.pages()) {
      sizes.push(page.length);
      seen.push(...page.map(({ sequence }) => sequence));
    }
    expect(sizes).toEqual([500, 500, 203]);
    expect(seen).toEqual(Array.from({ length: 1203 }, (_, index) => index + 1));
    const newest = await ledger.list({ secret: 'S0', limit: 2 });
    expect(newest.map(({ sequence }) => sequence)).toEqual([1200, 1202]);
    expect(await ledger.list({ secret: 'nobody' })).toEqual([]);
  });
});

describe('appending', () => {
  beforeEach(migrate);

  test('a row comes back as it was written, whatever DateStyle and time zone the database prefers', async () => {
    await sql(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET datestyle = 'German'`);
    await sql(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET timezone = 'Asia/Kathmandu'`);
    const other = open(url);
    const row = await other.append(entry(1, { notes: 'Zürich "quoted" \u{1F511}', nextDueAt: null }));
    expect(row).toMatchObject({ ...entry(1), notes: 'Zürich "quoted" \u{1F511}', nextDueAt: null, sequence: 1 });
    expect(await other.list()).toEqual([row]);
    expect(await other.verify()).toEqual({ intact: true, rows: 1, head: row.hash, rowsSinceHead: null });
  });

  test('text that PostgreSQL cannot hold is replaced, not refused: NUL, half a surrogate pair', async () => {
    const { evidence } = entry(1);
    const odd = { ...evidence[0]!, error: 'exit 1: \u0000\ud83d' };
    const row = await ledger.append(entry(1, { notes: 'a\u0000b', evidence: [odd] }));
    expect(row.notes).toBe('a\ufffdb');
    expect(row.evidence[0]?.error).toBe('exit 1: \ufffd\ufffd');
    expect(await ledger.verify()).toMatchObject({ intact: true });
    expect(await ledger.append(entry(1, { notes: 'a\u0000b', evidence: [odd] }))).toEqual(row);
  });

  test('the same request twice gives the first row', async () => {
    const first = await ledger.append(entry(1));
    expect(await ledger.append(entry(1))).toEqual(first);
    expect(await ledger.list()).toHaveLength(1);
  });

  test('the same request id with other content is a conflict, and nothing is written', async () => {
    await ledger.append(entry(1));
    const error = await failure(ledger.append(entry(1, { operator: 'mallory' })));
    expect(error).toMatchObject({ code: 'ledger-conflict', effect: 'none', retryable: false });
    expect(error.message).toBe('request run-1 is on record as row 1 with other content');
    expect(await ledger.list()).toHaveLength(1);
  });

  test('a time that is none is refused before anything is written', async () => {
    expect(await failure(ledger.append(entry(1, { finishedAt: 'yesterday' })))).toMatchObject({ code: 'bad-entry' });
    expect(await ledger.list()).toEqual([]);
  });

  test('twenty appends at once through five connections make one unbroken chain', async () => {
    const writers = Array.from({ length: 5 }, () => open(url));
    const rows = await Promise.all(
      Array.from({ length: 20 }, (_, index) => writers[index % 5]!.append(entry(index))), // one run each
    );
    expect(rows.map((row) => row.sequence).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const listed = await ledger.list();
    listed.slice(1).forEach((row, index) => expect(row.previousHash).toBe(listed[index]?.hash));
    expect(await ledger.verify()).toMatchObject({ intact: true, rows: 20, head: listed.at(-1)?.hash });
  });

  test('ten attempts at the same append at once make one row', async () => {
    const rows = await Promise.all(Array.from({ length: 10 }, () => ledger.append(entry(1))));
    expect(new Set(rows.map((row) => row.hash)).size).toBe(1);
    expect(await ledger.list()).toHaveLength(1);
  });

  test('an answer that was lost after the commit: the retry finds the row', async () => {
    const proxy = await Proxy.before(url);
    opened.push(proxy);
    const remote = open(proxy.url);
    await remote.inspect();
    proxy.cutAfterCommit = true;
    const error = await failure(remote.append(entry(1)));
    expect(error).toMatchObject({ code: 'ledger-unavailable', effect: 'unknown', retryable: true });
    proxy.cutAfterCommit = false;
    const [row] = await ledger.list();
    expect(row).toBeDefined();
    expect(await remote.append(entry(1))).toEqual(row);
    expect(await ledger.list()).toHaveLength(1);
  });

  test('a server that ends idle connections is met again without an error', async () => {
    await ledger.append(entry(1));
    await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyturn-ledger'
      AND datname = current_database()`);
    await expect.poll(() => ledger.append(entry(2)).catch(() => null)).toMatchObject({ sequence: 2 });
  });
});

describe('listing', () => {
  test('filters by system, environment and secret, newest so many, oldest first; latest completed of each', async () => {
    await migrate();
    await ledger.append(entry(1));
    await ledger.append(entry(2, { system: 'hms', secret: 'JWT_SECRET' }));
    await ledger.append(entry(3, { environment: 'staging' }));
    await ledger.append(entry(4));
    await ledger.append(entry(5, { outcome: 'rolled back', nextDueAt: null }));
    const ids = (rows: { requestId: string }[]) => rows.map((row) => row.requestId);
    expect(ids(await ledger.list())).toEqual(['run-1', 'run-2', 'run-3', 'run-4', 'run-5']);
    expect(ids(await ledger.list({ limit: 2 }))).toEqual(['run-4', 'run-5']);
    expect(ids(await ledger.list({ system: 'mediavault', environment: 'production' }))).toEqual([
      'run-1',
      'run-4',
      'run-5',
    ]);
    expect(ids(await ledger.list({ secret: 'JWT_SECRET' }))).toEqual(['run-2']);
    expect(ids(await ledger.list({ system: `x' OR true --` }))).toEqual([]);
    expect(ids(await ledger.latest())).toEqual(['run-2', 'run-4', 'run-3']);
  });
});

describe('tampering', () => {
  beforeEach(async () => {
    await migrate();
    for (let number = 1; number <= 6; number++) await ledger.append(entry(number));
  });

  test.each([
    `UPDATE keyturn.rotations SET notes = 'x' WHERE sequence = 3`,
    'DELETE FROM keyturn.rotations WHERE sequence = 3',
    'TRUNCATE keyturn.rotations',
    `SET session_replication_role = replica; DELETE FROM keyturn.rotations`,
  ])('is refused, also to a superuser: %s', async (statement) => {
    await expect(sql(statement)).rejects.toThrow(
      /the rotation ledger is append-only: (UPDATE|DELETE|TRUNCATE) refused/,
    );
    expect(await ledger.verify()).toMatchObject({ intact: true, rows: 6 });
  });

  /** A superuser who knows what stands in the way. */
  async function tamper(statement: string): Promise<void> {
    await sql(`ALTER TABLE keyturn.rotations DISABLE TRIGGER ALL;
      ALTER TABLE keyturn.rotations DROP CONSTRAINT IF EXISTS rotations_no_fork, DROP CONSTRAINT IF EXISTS rotations_pkey,
        DROP CONSTRAINT IF EXISTS rotations_sequence_check;
      ${statement}`);
  }

  const other = '0123456789abcdef'.repeat(4);
  test.each([
    ['request_id', `'run-x'`],
    ['system', `'mediavau1t'`],
    ['environment', `'staging'`],
    ['secret', `'OTHER'`],
    ['kind', `'token'`],
    ['operator', `'mallory'`],
    ['method', `'overlap (list)'`],
    ['reason', `'leak'`],
    ['outcome', `'rejected'`],
    ['started_at', `started_at - interval '1 millisecond'`],
    ['finished_at', `finished_at + interval '1 hour'`],
    ['finished_at', `(to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || '+00 BC')::timestamptz`],
    ['next_due_at', `next_due_at + interval '1 day'`],
    ['next_due_at', 'NULL'],
    ['next_due_at', `'infinity'`],
    ['notes', `notes || ' '`],
    ['evidence', `jsonb_set(evidence, '{0,evidence,facts,length}', '65')`],
    ['evidence', `'[]'`],
    ['recorded_at', `recorded_at + interval '1 second'`],
    ['hash', `'${other}'`],
    ['previous_hash', `'${other}'`],
  ])('of %s is found and the row named (%s)', async (column, value) => {
    await tamper(`UPDATE keyturn.rotations SET ${column} = ${value} WHERE sequence = 3`);
    expect(await ledger.verify()).toMatchObject({ intact: false, rows: 2, sequence: 3 });
  });

  test('a row taken out of the middle is named as missing', async () => {
    await tamper('DELETE FROM keyturn.rotations WHERE sequence IN (3, 4)');
    const reason = 'it and the rows up to 4 are missing';
    expect(await ledger.verify()).toEqual({ intact: false, rows: 2, sequence: 3, reason, headMissing: false });
  });

  test('a row taken out and the rest renumbered is found', async () => {
    await tamper(`DELETE FROM keyturn.rotations WHERE sequence = 3;
      UPDATE keyturn.rotations SET sequence = sequence - 1 WHERE sequence > 3`);
    expect(await ledger.verify()).toMatchObject({ intact: false, rows: 2, sequence: 3 });
  });

  test('the first row taken out is found', async () => {
    await tamper('DELETE FROM keyturn.rotations WHERE sequence = 1');
    expect(await ledger.verify()).toEqual({
      intact: false,
      rows: 0,
      sequence: 1,
      reason: 'it is missing',
      headMissing: false,
    });
  });

  test('two rows exchanged are found at the first of them', async () => {
    await tamper(
      `UPDATE keyturn.rotations SET sequence = CASE sequence WHEN 3 THEN 4 ELSE 3 END WHERE sequence IN (3, 4)`,
    );
    expect(await ledger.verify()).toMatchObject({ intact: false, rows: 2, sequence: 3 });
  });

  test('a row put in by hand is found', async () => {
    await tamper(`INSERT INTO keyturn.rotations
      SELECT 7, 'forged', system, environment, secret, kind, operator, method, reason, outcome, proof, started_at, finished_at,
        next_due_at, notes, evidence, recorded_at, hash, '${other}' FROM keyturn.rotations WHERE sequence = 6`);
    expect(await ledger.verify()).toMatchObject({ intact: false, rows: 6, sequence: 7 });
    await sql('UPDATE keyturn.rotations SET sequence = 0 WHERE sequence = 7');
    expect(await ledger.verify()).toMatchObject({ intact: false, rows: 0, sequence: 0 });
  });

  test('rows cut off at the end are found by whoever kept the head', async () => {
    const before = await ledger.verify();
    const expectHead = before.intact ? before.head! : '';
    await tamper('DELETE FROM keyturn.rotations WHERE sequence > 4');
    expect(await ledger.verify()).toMatchObject({ intact: true, rows: 4 });
    expect(await ledger.verify({ expectHead })).toMatchObject({ intact: false, rows: 4, sequence: 5 });
  });

  test('a head kept earlier stays good while rows are added', async () => {
    const before = await ledger.verify();
    const expectHead = before.intact ? before.head! : '';
    await ledger.append(entry(7));
    expect(await ledger.verify({ expectHead: expectHead.toUpperCase() })).toMatchObject({
      intact: true,
      rowsSinceHead: 1,
    });
  });

  test('verification goes through all pages of a long ledger', async () => {
    for (let number = 7; number <= 520; number++) await ledger.append(entry(number));
    expect(await ledger.verify()).toMatchObject({ intact: true, rows: 520 });
    await tamper(`UPDATE keyturn.rotations SET notes = 'x' WHERE sequence = 515`);
    expect(await ledger.verify()).toMatchObject({ intact: false, rows: 514, sequence: 515 });
  });
});

describe('errors', () => {
  const password = 'Tr0ub4dor-and-3-more';

  test.each([
    ['nobody listens', `postgresql://keyturn:${password}@127.0.0.1:1/ledger`, 'ledger-unavailable'],
    ['no such host', `postgresql://keyturn:${password}@host.invalid:5432/ledger`, 'ledger-unavailable'],
  ])('%s: named without the URL', async (_, address, code) => {
    const error = await failure(open(address).inspect());
    expect(error).toMatchObject({ code, retryable: true, effect: 'none' });
    expect(inspect(error, { depth: 9 })).not.toContain(password);
    expect(error.message.length).toBeGreaterThan('the ledger database cannot be used now: '.length);
  });

  test('a wrong password and a missing database are configuration, not something to wait for', async () => {
    const wrong = new URL(url);
    wrong.password = password;
    wrong.username = 'nobody_of_this_name';
    const refused = await failure(open(wrong.href).inspect());
    expect(refused.code).toBe('ledger-misconfigured');
    expect(inspect(refused, { depth: 9 })).not.toContain(password);
    const absent = new URL(url);
    absent.pathname = '/no_such_database';
    expect(await failure(open(absent.href).inspect())).toMatchObject({
      code: 'ledger-misconfigured',
      retryable: false,
    });
  });

  test.each([
    'not a url',
    `mysql://u:${password}@host/db`,
    `postgresql://u:${password}@ho st/db`,
    `postgres://u:%zz${password}@h/db`,
  ])('an address that is none is not printed', (address) => {
    const make = () => new PostgresLedger(address);
    expect(make).toThrow("the ledger's address is not a PostgreSQL URL");
    try {
      make();
    } catch (error) {
      expect(inspect(error, { depth: 9 })).not.toContain(password);
    }
  });

  test('closing twice is fine, using it afterwards is an error of its own kind', async () => {
    await ledger.close();
    await ledger.close();
    expect(await failure(ledger.inspect())).toMatchObject({ code: 'ledger-unavailable' });
  });
});

/** Stands between the ledger and PostgreSQL, and can lose the answer to a COMMIT that reached it. */
class Proxy {
  cutAfterCommit = false;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async before(target: string): Promise<Proxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = new URL(target);
    address.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const proxy = new Proxy(server, address.href);
    server.on('connection', (down) => proxy.#join(down, connect(Number(port), hostname)));
    return proxy;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.server.close(done));
  }

  #join(down: Socket, up: Socket): void {
    let committing = false;
    for (const [socket, peer] of [
      [down, up],
      [up, down],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => peer.destroy());
    }
    down.on('data', (data) => {
      committing ||= this.cutAfterCommit && data.includes('COMMIT\0');
      up.write(data);
    });
    up.on('data', (data) => {
      // PostgreSQL answers a COMMIT after it has committed.
      if (committing) down.destroy();
      else down.write(data);
    });
  }
}
