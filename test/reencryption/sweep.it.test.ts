import { execFileSync } from 'node:child_process';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Reencryptor } from '../../src/ciphers/cipher.js';
import { openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import { gcmFormat, type GcmFormat } from '../../src/domain/specs/ciphertext.js';
import { addCounts, balances, NO_ROWS } from '../../src/domain/row-counts.js';
import { NOTHING_SWEPT, sweep, type SweepProgress } from '../../src/reencryption/sweep.js';
import { splitTable } from '../../src/reencryption/split.js';
import { fernetToken, flipped } from '../ciphers/support.js';
import {
  createWorld,
  expectAllNew,
  expectCounts,
  failureOf,
  oldRows,
  plaintextOf,
  underNew,
  type World,
} from './support.js';
import { inDeep } from '../support/deep.js';
import { goesOn } from '../support/meanwhile.js';
import { sampled } from '../support/sample.js';

let world: World;

beforeAll(async () => {
  world = await createWorld('sweep');
});

test('every row is carried over, page after page, and a second sweep changes nothing', async () => {
  await world.table('many', oldRows(world, 5_000));
  const facts = await world.facts('public.many');
  const seen: SweepProgress[] = [];
  const first = await sweep({
    server: world.server(),
    facts,
    reencryptor: world.cipher(),
    onProgress: (p) => seen.push(p),
  });
  expectCounts(first.counts, { read: 5_000, reencrypted: 5_000 });
  expect(first).toMatchObject({ done: true, unreadable: [] });
  expect(seen.length).toBeGreaterThan(3);
  for (const { counts } of seen) expect(balances(counts)).toBe(true);
  await expectAllNew(world, 'many', 5_000);
  const before = await world.sql('SELECT xmin::text, ctid::text, * FROM many ORDER BY id');
  const second = await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
  expectCounts(second.counts, { read: 5_000, alreadyNew: 5_000 });
  expect(await world.sql('SELECT xmin::text, ctid::text, * FROM many ORDER BY id')).toEqual(before);
});

test('rows of every state are counted as such, and only those under the old key are touched', async () => {
  const values = [
    fernetToken(world.old, 'first'),
    null,
    fernetToken(world.next, 'new already'),
    Buffer.alloc(0),
    fernetToken(world.other, 'of a key that nobody has'),
    flipped(fernetToken(world.old, 'corrupt'), 60),
    Buffer.from('ünreadable, with "quotes" and \\ and {braces}'),
    fernetToken(world.old, 'last'),
  ];
  await world.table('mixed', values);
  const { counts, unreadable } = await sweep({
    server: world.server(),
    facts: await world.facts('mixed'),
    reencryptor: world.cipher(),
  });
  expectCounts(counts, { read: 8, reencrypted: 2, alreadyNew: 1, empty: 2, unreadable: 3 });
  expect(unreadable).toEqual(['id=5', 'id=6', 'id=7']);
  const after = await world.values('mixed');
  expect(after.map((value) => underNew(world, value))).toMatchObject({ 0: 'first', 7: 'last' });
  for (const row of [1, 2, 3, 4, 5, 6]) expect(after[row]).toBe(values[row]?.toString() ?? null);
});

test('an empty table is nothing to do', async () => {
  await world.table('nothing', []);
  const result = await sweep({
    server: world.server(),
    facts: await world.facts('nothing'),
    reencryptor: world.cipher(),
  });
  expect(result).toEqual({ ...NOTHING_SWEPT, done: true });
});

describe('rows are found by a key of any type:', () => {
  const KEYS: [string, string, string][] = [
    ['integer', 'k int PRIMARY KEY', 'n - 500'],
    ['uuid', 'k uuid PRIMARY KEY', 'md5(n::text)::uuid'],
    ['text', 'k text PRIMARY KEY', `'ключ "' || n || E'\\' \\\\ {,}' || chr(9)`],
    [
      'text in the order of a language',
      'k text COLLATE "en-x-icu" PRIMARY KEY',
      `CASE n % 2 WHEN 0 THEN 'ä' ELSE 'Z' END || n`,
    ],
    [
      'text under a collation that is not deterministic',
      'k text COLLATE nondeterministic PRIMARY KEY',
      `CASE n % 2 WHEN 0 THEN 'Ab' ELSE 'aC' END || n`,
    ],
    ['varchar', 'k varchar(20) PRIMARY KEY', `'k' || n`],
    ['char', 'k char(12) PRIMARY KEY', `'k' || n`],
    ['numeric', 'k numeric(20, 6) PRIMARY KEY', 'n / 7.0'],
    ['double precision', 'k float8 PRIMARY KEY', '1 / (n + 0.1)::float8'],
    [
      'timestamp with time zone',
      'k timestamptz PRIMARY KEY',
      `'2026-03-29 00:59:59.999999+01'::timestamptz + n * interval '1 microsecond'`,
    ],
    [
      'date with infinity',
      'k date PRIMARY KEY',
      `CASE n WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE '2026-01-01'::date + n END`,
    ],
    ['bytea', 'k bytea PRIMARY KEY', `sha256(n::text::bytea)`],
    ['inet', 'k inet PRIMARY KEY', `'10.0.0.0'::inet + n`],
    ['enum', 'k size PRIMARY KEY', `(ARRAY['small', 'medium', 'large']::size[])[n]`],
    ['domain', 'k code PRIMARY KEY', `'c' || n`],
    ['array', 'k int[] PRIMARY KEY', 'ARRAY[n % 7, n]'],
    ['bit', 'k bit(16) PRIMARY KEY', 'n::bit(16)'],
    ['a row type', 'k place PRIMARY KEY', `ROW(n % 7, E'x" ,' || n)::place`],
    [
      'several columns',
      'k int, "Größe" text, m uuid, PRIMARY KEY ("Größe", k, m)',
      `n % 5, 'g' || n % 3, md5(n::text)::uuid`,
    ],
    ['several columns in falling order', 'k int, m int, UNIQUE (m, k)', 'n % 5, n'],
    ['a unique index where there is no primary key', 'k int NOT NULL UNIQUE', 'n'],
  ];
  test.each(sampled(KEYS, 5))('%s', async (name, definition, key) => {
    const table = pgName(name);
    await world.sql(
      `CREATE COLLATION IF NOT EXISTS nondeterministic (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await world.sql(`DO $$ BEGIN CREATE TYPE size AS ENUM ('small', 'medium', 'large'); CREATE DOMAIN code AS text CHECK (value <> ''); CREATE TYPE place AS (a int, b text);
      EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    const notNull = definition.includes('UNIQUE (m, k)')
      ? definition.replace('k int, m int', 'k int NOT NULL, m int NOT NULL')
      : definition;
    await world.sql(`CREATE TABLE ${table} (${notNull}, encrypted_value text, plain int)`);
    const count = name === 'enum' ? 3 : 700;
    const columns = definition.startsWith('k int, "')
      ? 'k, "Größe", m'
      : definition.startsWith('k int, m')
        ? 'k, m'
        : 'k';
    await world.sql(
      `INSERT INTO ${table} (${columns}, plain, encrypted_value)
       SELECT ${key}, n, v FROM unnest($1::text[]) WITH ORDINALITY x(v, o), LATERAL (SELECT o::int AS n) y`,
      [oldRows(world, count).map(String)],
    );
    // Rows that cannot be read make their keys be shown, and the pages be sent in part.
    await world.sql(`UPDATE ${table} SET encrypted_value = 'not a token' WHERE plain % 100 = 2`);
    const bad = Math.floor((count - 2) / 100) + 1;
    const facts = await world.facts(table);
    let stopped: SweepProgress | null = null;
    const controller = new AbortController();
    const cut = sweep({
      ...{ server: world.server(controller.signal), facts, reencryptor: world.cipher(), pageRows: 64 },
      onProgress(progress) {
        if (stopped !== null || progress.counts.read < count / 2) return;
        stopped = JSON.parse(JSON.stringify(progress)) as SweepProgress;
        controller.abort(new Error('the worker stops'));
      },
    });
    await cut.catch(() => undefined);
    const { counts, unreadable } = await sweep({
      server: world.server(),
      facts,
      reencryptor: world.cipher(),
      pageRows: 64,
      from: stopped,
    });
    expect(balances(counts)).toBe(true);
    expect(counts).toMatchObject({ read: count, changed: 0, unreadable: bad, empty: 0 });
    expect(unreadable).toHaveLength(bad);
    expect(new Set(unreadable).size).toBe(bad);
    const rows = await world.sql(`SELECT plain, encrypted_value AS v FROM ${table}`);
    for (const { plain, v } of rows as { plain: number; v: string }[]) {
      if (plain % 100 === 2) expect(v).toBe('not a token');
      else expect(underNew(world, v)).toBe(plaintextOf(plain - 1));
    }
  });
});

/**
 * The page is read by then and not yet written: the cipher's work is done in one go, so what is to happen meanwhile is done by a
 * process of its own, which this one waits for.
 */
function afterReading(statement: string, ...more: string[]): Reencryptor {
  const itself = world.cipher();
  return {
    reencrypt(page) {
      execFileSync(process.execPath, ['-e', CLIENT], {
        input: JSON.stringify({ url: world.url, statements: [statement, ...more] }),
      });
      return itself.reencrypt(page);
    },
  };
}

const CLIENT = `
const { url, statements } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const client = new (require('pg').Client)({ connectionString: url });
client.connect()
  .then(async () => { for (const text of statements) await client.query(text); await client.end(); })
  .catch((error) => { console.error(error); process.exit(1); });`;

function pgName(name: string): string {
  return `k_${name.replaceAll(/\W+/g, '_')}`;
}

describe('values stand in', () => {
  test('varchar, under a domain, and in a partitioned table', async () => {
    await world.sql(`CREATE DOMAIN token AS varchar(400) CHECK (value <> 'x')`);
    await world.sql(
      `CREATE TABLE parted (id int, region text, encrypted_value token, PRIMARY KEY (region, id)) PARTITION BY LIST (region)`,
    );
    await world.sql(
      `CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu'); CREATE TABLE parted_us PARTITION OF parted FOR VALUES IN ('us')`,
    );
    await world.sql(
      `INSERT INTO parted SELECT o, CASE o % 2 WHEN 0 THEN 'eu' ELSE 'us' END, v FROM unnest($1::text[]) WITH ORDINALITY n(v, o)`,
      [oldRows(world, 500).map(String)],
    );
    const facts = await world.facts('parted');
    expect(facts).toMatchObject({ partitioned: true, kind: 'text' });
    const { counts } = await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
    expectCounts(counts, { read: 500, reencrypted: 500 });
    const rows = await world.sql('SELECT encrypted_value AS v FROM parted ORDER BY id');
    expect(rows.map(({ v }) => underNew(world, v as string))).toEqual(rows.map((_, row) => plaintextOf(row)));
  });

  test('text under a collation that takes other bytes for the same: only the very same bytes are overwritten', async () => {
    await world.sql(
      `CREATE COLLATION IF NOT EXISTS nondeterministic (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await world.sql('CREATE TABLE folded (id int PRIMARY KEY, encrypted_value text COLLATE nondeterministic)');
    await world.sql('INSERT INTO folded VALUES (1, $1)', [fernetToken(world.old, 'mine').toString()]);
    const facts = await world.facts('folded');
    const itself = world.cipher();
    const { counts } = await sweep({
      ...{ server: world.server(), facts },
      reencryptor: {
        reencrypt(page) {
          const result = itself.reencrypt(page);
          // As if what was read had been of another case: to the collation it is equal.
          page.values[0]?.write(page.values[0].toString('latin1').toLowerCase(), 'latin1');
          return result;
        },
      },
    });
    expectCounts(counts, { read: 1, changed: 1 });
  });

  test('bytea, as the text of tokens', async () => {
    await world.sql('CREATE TABLE raw (id int PRIMARY KEY, encrypted_value bytea)');
    await world.sql('INSERT INTO raw SELECT o, v FROM unnest($1::bytea[]) WITH ORDINALITY n(v, o)', [
      oldRows(world, 50),
    ]);
    await world.sql(`INSERT INTO raw VALUES (100, NULL), (101, '\\x'), (102, '\\x00ff')`);
    const { counts } = await sweep({
      server: world.server(),
      facts: await world.facts('raw'),
      reencryptor: world.cipher(),
    });
    expectCounts(counts, { read: 53, reencrypted: 50, empty: 2, unreadable: 1 });
    const [first] = await world.sql('SELECT encrypted_value AS v FROM raw ORDER BY id');
    expect(underNew(world, (first!['v'] as Buffer).toString())).toBe(plaintextOf(0));
  });

  test('a document, at a path with quotes in it; what stands beside it stays, also when it changes meanwhile', async () => {
    await world.sql('CREATE TABLE documents (id int PRIMARY KEY, settings jsonb)');
    const token = fernetToken(world.old, 'in a document').toString();
    const path = [`it's "a" \\ path`, 'key'];
    const inserted: [number, unknown][] = [
      [1, { [path[0]!]: { key: token, other: 1 }, beside: [1, 2] }],
      [2, { [path[0]!]: {} }],
      [3, { [path[0]!]: { key: null } }],
      [4, { [path[0]!]: { key: '' } }],
      [5, { [path[0]!]: { key: 42 } }],
      [6, null],
      [7, [token]],
    ];
    for (const [id, settings] of inserted) {
      await world.sql('INSERT INTO documents VALUES ($1, $2)', [
        id,
        settings === null ? null : JSON.stringify(settings),
      ]);
    }
    const facts = await world.facts('documents', 'settings', { path });
    // By then the row is not what was read: another part of the document has changed.
    const reencryptor = afterReading(
      `UPDATE documents SET settings = jsonb_set(settings, '{beside}', '[3]') WHERE id = 1`,
    );
    const { counts, unreadable } = await sweep({ server: world.server(), facts, reencryptor });
    expectCounts(counts, { read: 7, reencrypted: 1, empty: 5, unreadable: 1 });
    expect(unreadable).toEqual(['id=5']);
    const rows = (await world.sql('SELECT settings FROM documents ORDER BY id')).map((row) => row['settings']);
    expect(rows.slice(1)).toEqual(inserted.slice(1).map(([, settings]) => settings));
    const [document] = rows as [Record<string, { key: string }>];
    expect(document).toEqual({ [path[0]!]: { key: document[path[0]!]!.key, other: 1 }, beside: [3] });
    expect(underNew(world, document[path[0]!]!.key)).toBe('in a document');
  });

  test('AES-256-GCM bound to its row, in text and packed in bytea', async () => {
    const keys = { from: world.old, to: world.next };
    for (const [table, type, options] of [
      ['bound_text', 'text', { encoding: 'base64', separator: ':', prefix: 'v1:${key.id}:' }],
      ['bound_bytes', 'bytea', { encoding: 'binary' }],
    ] as const) {
      const format = gcmFormat.parse({ cipher: 'aes-256-gcm', associatedData: '${row.tenant}/${row.id}', ...options });
      await world.sql(`CREATE TABLE ${table} (id int PRIMARY KEY, tenant text, encrypted_value ${type})`);
      const values = Array.from({ length: 20 }, (_, row) => sealFor(format, world.old, `t/${row}`, plaintextOf(row)));
      await world.sql(`INSERT INTO ${table} SELECT o - 1, 't', v FROM unnest($1::${type}[]) WITH ORDINALITY n(v, o)`, [
        type === 'text' ? values.map(String) : values,
      ]);
      await world.sql(`UPDATE ${table} SET tenant = 'moved' WHERE id = 7`);
      const facts = await world.facts(table, 'encrypted_value', { format });
      const { counts, unreadable } = await sweep({
        server: world.server(),
        facts,
        reencryptor: openReencryptor(format, keys),
      });
      expectCounts(counts, { read: 20, reencrypted: 19, unreadable: 1 });
      expect(unreadable).toEqual(['id=7']);
      const rows = await world.sql(`SELECT id, encrypted_value AS v FROM ${table} WHERE id <> 7`);
      for (const { id, v } of rows) {
        const value = typeof v === 'string' ? Buffer.from(v) : (v as Buffer);
        expect(openReader(format, world.next).reads(value, Buffer.from(`t/${String(id)}`))).toBe(true);
      }
    }
  });
});

/** As an application writes it: in the order iv, tag, ciphertext. */
function sealFor(format: GcmFormat, key: Buffer, associated: string, plaintext: string): Buffer {
  const iv = randomBytes(format.ivLength);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(associated));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const parts = [iv, cipher.getAuthTag(), ciphertext];
  if (format.encoding === 'binary') return Buffer.concat(parts);
  const prefix = format.prefix.replace('${key.id}', createHash('sha256').update(key).digest('hex').slice(0, 8));
  return Buffer.from(prefix + parts.map((part) => part.toString('base64')).join(format.separator));
}

test('long values make smaller pages, not more memory', async () => {
  const values = Array.from({ length: 160 }, (_, row) => fernetToken(world.old, `${row % 10}`.repeat(60_000)));
  await world.table('long', values);
  const seen: number[] = [];
  const itself = world.cipher();
  const { counts } = await sweep({
    ...{ server: world.server(), facts: await world.facts('long') },
    reencryptor: {
      reencrypt(page) {
        seen.push(page.values.length);
        return itself.reencrypt(page);
      },
    },
  });
  expectCounts(counts, { read: 160, reencrypted: 160 });
  // The first is bounded by the server, since nobody here knows yet how long values are.
  expect(seen).toEqual([53, 52, 52, 3]);
});

inDeep.test('long values among short ones do not make a page of what a thousand of them take', async () => {
  const values = Array.from({ length: 240 }, (_, row) =>
    row === 130 || row >= 160 ? fernetToken(world.old, `${row % 10}`.repeat(700_000)) : fernetToken(world.old, 'short'),
  );
  await world.table('mixed_lengths', [...values, null, Buffer.alloc(0), values[130]!]);
  const sizes: number[] = [];
  const itself = world.cipher();
  const { counts } = await sweep({
    ...{ server: world.server(), facts: await world.facts('mixed_lengths') },
    reencryptor: {
      reencrypt(page) {
        sizes.push(page.values.reduce((sum, value) => sum + (value?.length ?? 0), 0));
        return itself.reencrypt(page);
      },
    },
  });
  expectCounts(counts, { read: 243, reencrypted: 241, empty: 2 });
  // Four megabytes, and the value that goes over that.
  expect(Math.max(...sizes)).toBeLessThan(6 * 1024 * 1024);
});

describe('an application at work', () => {
  test('never loses a write: eight writers race the sweep, one of them still on the old key', async () => {
    const rows = 3_000;
    await world.table('raced', oldRows(world, rows));
    const facts = await world.facts('raced');
    const written = new Map<number, string>();
    let stop = false;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      const app = await world.connect();
      // Each has rows of its own, so that the last write is known.
      for (let turn = 0; !stop; turn += 1) {
        const id = 1 + writer + 8 * Math.floor(Math.random() * (rows / 8));
        const plaintext = `written by ${writer} in turn ${turn}`;
        const key = writer === 0 ? world.old : world.next;
        await app.query('UPDATE raced SET encrypted_value = $2 WHERE id = $1', [
          id,
          fernetToken(key, plaintext).toString(),
        ]);
        written.set(id, plaintext);
      }
      await app.end();
    });
    let total = NO_ROWS;
    const sweeping = (async () => {
      for (let round = 0; round < 5; round += 1) {
        const { counts } = await sweep({ server: world.server(), facts, reencryptor: world.cipher(), pageRows: 200 });
        expect(balances(counts)).toBe(true);
        expect(counts.unreadable).toBe(0);
        total = addCounts(total, counts);
      }
    })();
    await sweeping.finally(() => (stop = true));
    await Promise.all(writers);
    const last = await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
    expect(last.counts).toMatchObject({ read: rows, changed: 0, unreadable: 0 });
    expectCounts((await sweep({ server: world.server(), facts, reencryptor: world.cipher() })).counts, {
      read: rows,
      alreadyNew: rows,
    });
    const values = await world.values('raced');
    values.forEach((value, row) => expect(underNew(world, value)).toBe(written.get(row + 1) ?? plaintextOf(row)));
    expect(written.size).toBeGreaterThan(50);
  });

  test('changes a row between its being read and its being written: the change stays, and the row is counted as changed', async () => {
    await world.table('in_between', oldRows(world, 3));
    const token = fernetToken(world.next, 'of the application').toString();
    const reencryptor = afterReading(`UPDATE in_between SET encrypted_value = '${token}' WHERE id = 2`);
    const first = await sweep({ server: world.server(), facts: await world.facts('in_between'), reencryptor });
    expectCounts(first.counts, { read: 3, reencrypted: 2, changed: 1 });
    expect((await world.values('in_between'))[1]).toBe(token);
  });

  test('deletes a row meanwhile, or moves it to another key: it is counted as changed', async () => {
    await world.table('gone', oldRows(world, 4));
    const reencryptor = afterReading('DELETE FROM gone WHERE id = 2', 'UPDATE gone SET id = 20 WHERE id = 3');
    const first = await sweep({ server: world.server(), facts: await world.facts('gone'), reencryptor });
    expectCounts(first.counts, { read: 4, reencrypted: 2, changed: 2 });
  });

  test('puts another row where one stood that was read: it is not taken for that one', async () => {
    await world.table('replaced', oldRows(world, 3));
    const placesOf = async (): Promise<unknown[]> =>
      (await world.sql('SELECT ctid::text AS place FROM replaced ORDER BY 1')).map(({ place }) => place);
    const before = await placesOf();
    const stranger = fernetToken(world.old, 'a stranger').toString();
    const reencryptor = afterReading(
      'DELETE FROM replaced WHERE id = 2',
      'VACUUM replaced',
      `INSERT INTO replaced VALUES (20, '${stranger}')`,
    );
    const first = await sweep({ server: world.server(), facts: await world.facts('replaced'), reencryptor });
    expectCounts(first.counts, { read: 3, reencrypted: 2, changed: 1 });
    expect(await placesOf()).toContain(before[1]);
    expect(await world.sql('SELECT encrypted_value AS v FROM replaced WHERE id = 20')).toEqual([{ v: stranger }]);
  });

  test('uses a row without touching the value: that is no change', async () => {
    await world.table('used', oldRows(world, 3));
    const reencryptor = afterReading('UPDATE used SET used_at = now()');
    const first = await sweep({ server: world.server(), facts: await world.facts('used'), reencryptor });
    expectCounts(first.counts, { read: 3, reencrypted: 3 });
    expect(await world.sql('SELECT FROM used WHERE used_at IS NULL')).toEqual([]);
  });

  test('holds rows: they are left for the next sweep, the others are written, and nobody waits long', async () => {
    await world.table('held', oldRows(world, 2_500));
    const facts = await world.facts('held');
    const app = await world.connect();
    await app.query('BEGIN');
    await app.query('SELECT FROM held WHERE id IN (3, 1000, 2400) FOR UPDATE');
    const started = performance.now();
    const first = await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
    expect(performance.now() - started).toBeLessThan(15_000);
    expectCounts(first.counts, { read: 2_500, reencrypted: 2_497, changed: 3 });
    await app.query('COMMIT');
    const second = await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
    expectCounts(second.counts, { read: 2_500, reencrypted: 3, alreadyNew: 2_497 });
  });

  test('a child row that refers to a row does not keep it from being re-encrypted', async () => {
    await world.table('parents', oldRows(world, 10));
    await world.sql('CREATE TABLE children (id int PRIMARY KEY, parent bigint REFERENCES parents)');
    const app = await world.connect();
    await app.query('BEGIN');
    await app.query('INSERT INTO children VALUES (1, 5)');
    const { counts } = await sweep({
      server: world.server(),
      facts: await world.facts('parents'),
      reencryptor: world.cipher(),
    });
    await app.query('COMMIT');
    expectCounts(counts, { read: 10, reencrypted: 10 });
  });

  inDeep.test('takes rows in any order: it is never the victim of a deadlock', async () => {
    await world.table('crossed', oldRows(world, 4_000));
    const facts = await world.facts('crossed');
    let stop = false;
    const outcomes: unknown[] = [];
    let transactions = 0;
    const apps = Array.from({ length: 4 }, async (_, index) => {
      const app = await world.connect();
      while (!stop) {
        // From the end to the beginning, slowly, each in rows of its own: against the order of the sweep.
        const rows = Array.from(
          { length: 6 },
          (__, step) => 4_000 - index - 4 * Math.floor(((step + Math.random()) * 4_000) / 24),
        );
        try {
          await app.query('BEGIN');
          for (const row of rows) {
            await app.query('UPDATE crossed SET used_at = now() WHERE id = $1', [Math.max(1, row)]);
            await sleep(15);
          }
          await app.query('COMMIT');
          transactions += 1;
        } catch (error) {
          outcomes.push(error);
          await app.query('ROLLBACK');
        }
      }
      await app.end();
    });
    const back = openReencryptor({ cipher: 'fernet' }, { from: world.next, to: world.old });
    for (let round = 0; round < 4; round += 1) {
      const { counts } = await sweep({
        server: world.server(),
        facts,
        reencryptor: round % 2 === 0 ? world.cipher() : back,
      });
      expect(balances(counts)).toBe(true);
      expect(counts).toMatchObject({ read: 4_000, unreadable: 0 });
    }
    stop = true;
    await Promise.all(apps);
    expect(outcomes).toEqual([]);
    expect(transactions).toBeGreaterThan(10);
  });

  test('holds the whole table for a while: the sweep waits, holding nothing, and goes on', async () => {
    await world.table('migrated', oldRows(world, 300));
    const facts = await world.facts('migrated');
    const app = await world.connect();
    await app.query('BEGIN');
    await app.query('LOCK TABLE migrated IN SHARE ROW EXCLUSIVE MODE');
    const sweeping = sweep({ server: world.server(), facts, reencryptor: world.cipher() });
    await goesOn(sweeping, 1_500);
    await app.query('COMMIT');
    expectCounts((await sweeping).counts, { read: 300, reencrypted: 300 });
  });
});

describe('a sweep that is cut short', () => {
  test('after any page goes on from there, and reads no row twice but those of the page in flight', async () => {
    const rows = 1_000;
    const table = 'resumed';
    await world.table(table, oldRows(world, rows));
    await world.sql(`UPDATE ${table} SET encrypted_value = 'not a token' WHERE id % 250 = 1`);
    const facts = await world.facts(table);
    let saved: SweepProgress = NOTHING_SWEPT;
    for (let attempt = 0; attempt < 100 && !saved.done; attempt += 1) {
      const controller = new AbortController();
      const pages = attempt % 3;
      let committed = 0;
      const running = sweep({
        ...{ server: world.server(controller.signal), facts, reencryptor: world.cipher(), from: saved, pageRows: 50 },
        onProgress(progress) {
          saved = JSON.parse(JSON.stringify(progress)) as SweepProgress;
          committed += 1;
          if (committed > pages) controller.abort(new Error('killed'));
        },
      });
      await running.catch((error: unknown) => expect((error as Error).message).toBe('killed'));
    }
    expect(saved.done).toBe(true);
    expect(balances(saved.counts)).toBe(true);
    expect(saved.counts).toMatchObject({ read: rows, unreadable: 4, changed: 0, empty: 0 });
    expect(saved.unreadable).toEqual(['id=1', 'id=251', 'id=501', 'id=751']);
    const values = await world.values(table);
    values.forEach((value, row) => {
      if (row % 250 !== 0) expect(underNew(world, value)).toBe(plaintextOf(row));
    });
    expect(await sweep({ server: world.server(), facts, reencryptor: world.cipher(), from: saved })).toBe(saved);
  });

  test('by the server: the error says that something was written, and the next one finishes', async () => {
    await world.table('cut', oldRows(world, 1_000));
    const facts = await world.facts('cut');
    let pages = 0;
    const error = await failureOf(
      sweep({
        ...{ server: world.server(), facts, reencryptor: world.cipher(), pageRows: 50 },
        onProgress() {
          pages += 1;
          if (pages !== 3) return;
          void world.sql(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyturn' AND datname = current_database()`,
          );
        },
        throttle: { hold: () => sleep(20) },
      }),
    );
    expect(error).toMatchObject({ code: 'query-failed', effect: 'applied', retryable: true });
    const { counts } = await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
    expect(counts.alreadyNew).toBeGreaterThanOrEqual(100);
    await expectAllNew(world, 'cut', 1_000);
  });
});

describe('a table in parts', () => {
  test('comes to the same as a whole, each row once', async () => {
    await world.table('parts', oldRows(world, 30_000));
    await world.sql('ANALYZE parts');
    const facts = await world.facts('parts');
    const ranges = await splitTable({ server: world.server(), facts, parts: 4 });
    expect(ranges).toHaveLength(4);
    expect(ranges[0]!.after).toBeNull();
    expect(ranges[3]!.upTo).toBeNull();
    for (const [index, range] of ranges.entries()) if (index > 0) expect(range.after).toEqual(ranges[index - 1]!.upTo);
    const parts = await Promise.all(
      ranges.map((range) =>
        sweep({
          server: world.server(),
          facts,
          reencryptor: world.cipher(),
          range: JSON.parse(JSON.stringify(range)) as typeof range,
        }),
      ),
    );
    for (const { counts } of parts) expect(counts.read).toBeGreaterThan(5_000);
    expectCounts(parts.map(({ counts }) => counts).reduce(addCounts), { read: 30_000, reencrypted: 30_000 });
    expectCounts((await sweep({ server: world.server(), facts, reencryptor: world.cipher() })).counts, {
      read: 30_000,
      alreadyNew: 30_000,
    });
  });

  test('is left whole where it is small', async () => {
    await world.table('small', oldRows(world, 10));
    const facts = await world.facts('small');
    expect(await splitTable({ server: world.server(), facts, parts: 8 })).toEqual([{ after: null, upTo: null }]);
  });
});
