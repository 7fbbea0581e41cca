import { beforeAll, describe, expect, test } from 'vitest';
import { gcmFormat } from '../../src/domain/specs/ciphertext.js';
import type { PlannedColumn } from '../../src/domain/plan.js';
import { freshRoleName } from '../support/servers.js';
import { createWorld, failureOf, type World } from './support.js';

let world: World;

beforeAll(async () => {
  world = await createWorld('facts');
  await world.sql(`CREATE SCHEMA "Odd Schema"`);
  await world.sql(`CREATE TABLE credentials (id bigint PRIMARY KEY, platform text, encrypted_value text, settings jsonb, plain json,
    size int, upper_value text GENERATED ALWAYS AS (upper(encrypted_value)) STORED, packed bytea, padded char(10))`);
  await world.sql(
    `CREATE TABLE "Odd Schema"."Credentials ""x""" ("Id" uuid, "T" int, "V" varchar(300), PRIMARY KEY ("T", "Id"))`,
  );
  await world.sql(
    `CREATE TABLE keyless (id int, v text); CREATE UNIQUE INDEX ON keyless (id) WHERE id > 0; CREATE UNIQUE INDEX ON keyless (lower(v))`,
  );
  await world.sql(`CREATE TABLE nullable (id int UNIQUE, v text)`);
  await world.sql(
    `CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
     CREATE TABLE by_other_rules (k text COLLATE any_case NOT NULL, v text);
     CREATE UNIQUE INDEX ON by_other_rules (k COLLATE "C");
     CREATE TABLE by_own_rules (k text COLLATE any_case NOT NULL, m text NOT NULL, v text);
     CREATE UNIQUE INDEX ON by_own_rules (m COLLATE "C", k)`,
  );
  await world.sql(`CREATE TABLE by_value (v text PRIMARY KEY)`);
  await world.sql(
    `CREATE VIEW seen AS SELECT * FROM credentials; CREATE MATERIALIZED VIEW kept AS SELECT 1 AS id, 'x'::text AS encrypted_value`,
  );
});

test('a column is known by its key, its type and how large its table is', async () => {
  expect(await world.facts('credentials')).toEqual({
    ...{
      name: 'public.credentials.encrypted_value',
      schema: 'public',
      table: 'credentials',
      column: 'encrypted_value',
      owner: world.application.role,
    },
    ...{ kind: 'text', path: null, format: { cipher: 'fernet' }, associated: [], partitioned: false, warnings: [] },
    keys: [{ name: 'id', type: 'bigint', asText: false }],
    ...{ longValues: false, condition: null, children: [] },
    estimatedRows: null,
  });
  await world.sql(`INSERT INTO credentials (id) SELECT generate_series(1, 50)`);
  await world.sql('ANALYZE credentials');
  expect(await world.facts('public.credentials')).toMatchObject({ estimatedRows: 50 });
});

test('names with blanks and capitals are taken as the catalogue spells them', async () => {
  const facts = await world.facts('Odd Schema.credentials', 'V').catch((error: unknown) => error);
  expect(facts).toMatchObject({ code: 'unknown-table' });
  await world.sql(`CREATE TABLE "Odd Schema"."Credentials" (LIKE "Odd Schema"."Credentials ""x""" INCLUDING ALL)`);
  expect(await world.facts('Odd Schema.Credentials', 'V')).toMatchObject({
    name: 'Odd Schema.Credentials.V',
    keys: [
      { name: 'T', type: 'integer' },
      { name: 'Id', type: 'uuid' },
    ],
  });
});

test('a unique index may compare by other rules than the column, as long as both tell the same rows apart', async () => {
  expect(await world.facts('by_own_rules', 'v')).toMatchObject({ keys: [{ name: 'm' }, { name: 'k' }] });
});

test('the columns that a value’s authentication covers are known', async () => {
  const format = gcmFormat.parse({
    cipher: 'aes-256-gcm',
    associatedData: '${row.platform}:${row.id}:${row.platform}',
  });
  expect(await world.facts('credentials', 'encrypted_value', { format })).toMatchObject({
    associated: ['platform', 'id'],
  });
});

describe('what cannot be re-encrypted safely is refused beforehand:', () => {
  const gcm = (more: object): PlannedColumn['format'] => gcmFormat.parse({ cipher: 'aes-256-gcm', ...more });

  test.each<[string, string, string, Partial<PlannedColumn>, string, RegExp]>([
    ['a table that is not there', 'credential', 'encrypted_value', {}, 'unknown-table', /did you mean credentials\?/],
    [
      'one of another schema',
      'pulbic.credentials',
      'encrypted_value',
      {},
      'unknown-table',
      /did you mean public\.credentials\?/,
    ],
    [
      'a name far from any',
      'wholly_elsewhere',
      'encrypted_value',
      {},
      'unknown-table',
      /there is no table wholly_elsewhere$/,
    ],
    [
      'a column that is not there',
      'credentials',
      'encryptedvalue',
      {},
      'unknown-column',
      /did you mean encrypted_value\?/,
    ],
    ['a column named after the fact', 'credentials', 'xmin', {}, 'unknown-column', /has no column xmin/],
    [
      'associated data of a column that is not there',
      'credentials',
      'encrypted_value',
      { format: gcm({ associatedData: '${row.platfrom}' }) },
      'unknown-column',
      /did you mean platform\?/,
    ],
    ['a view', 'seen', 'encrypted_value', {}, 'not-a-table', /is a view/],
    ['a materialized view', 'kept', 'encrypted_value', {}, 'not-a-table', /is a materialized view/],
    ['no key at all', 'keyless', 'v', {}, 'no-primary-key', /has no primary key/],
    ['a key that may be NULL', 'nullable', 'v', {}, 'no-primary-key', /has no primary key/],
    // 'a' and 'A' are two rows for the index and one for the column: a page that ends between them would leave out the second.
    ['a key of texts that are equal to the column', 'by_other_rules', 'v', {}, 'no-primary-key', /compares as/],
    ['a key that is itself encrypted', 'by_value', 'v', {}, 'key-is-encrypted', /part of the table's key/],
    ['a number', 'credentials', 'size', {}, 'wrong-column-type', /is integer/],
    ['text of fixed length', 'credentials', 'padded', {}, 'wrong-column-type', /is character\(10\)/],
    ['a document without a path', 'credentials', 'settings', {}, 'wrong-column-type', /is jsonb/],
    [
      'a path into json that is no jsonb',
      'credentials',
      'plain',
      { path: ['a'] },
      'wrong-column-type',
      /is json, not jsonb/,
    ],
    ['a path into text', 'credentials', 'encrypted_value', { path: ['a'] }, 'wrong-column-type', /is text, not jsonb/],
    [
      'bytes in text',
      'credentials',
      'encrypted_value',
      { format: gcm({ encoding: 'binary' }) },
      'wrong-column-type',
      /holds no binary values/,
    ],
    ['a generated column', 'credentials', 'upper_value', {}, 'generated-column', /is generated/],
  ])('%s', async (_what, table, column, more, code, message) => {
    const error = await failureOf(world.facts(table, column, more));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint).not.toBe(undefined);
  });

  test('rows that policies may hide, and columns that may not be written', async () => {
    const role = freshRoleName('keyturn_facts');
    await world.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'only-for-this-test'`);
    const url = new URL(world.url);
    url.username = role;
    url.password = 'only-for-this-test';
    const { columnFacts } = await import('../../src/reencryption/column-facts.js');
    const column = {
      table: 'credentials',
      column: 'encrypted_value',
      path: null,
      where: null,
      format: { cipher: 'fernet' },
    } as const;
    const ask = () => columnFacts({ server: world.server(undefined, url.href), column });
    expect(await failureOf(ask())).toMatchObject({
      code: 'insufficient-privilege',
      message: expect.stringContaining('SELECT or UPDATE') as string,
    });
    await world.sql(`GRANT SELECT ON credentials TO ${role}; GRANT UPDATE (platform) ON credentials TO ${role}`);
    expect(await failureOf(ask())).toMatchObject({
      code: 'insufficient-privilege',
      message: expect.stringContaining('may not UPDATE') as string,
    });
    await world.sql(`GRANT UPDATE (encrypted_value) ON credentials TO ${role}`);
    expect(await ask()).toMatchObject({ kind: 'text' });
    await world.sql('ALTER TABLE credentials ENABLE ROW LEVEL SECURITY');
    expect(await failureOf(ask())).toMatchObject({ code: 'row-security' });
    expect(await world.facts('credentials')).toMatchObject({ kind: 'text' });
  });
});

test('what fires on every update or rewrites it is said beforehand, and who inherits, at any depth', async () => {
  await world.sql(
    `CREATE TABLE watched (id int PRIMARY KEY, encrypted_value text); CREATE TABLE watched_too () INHERITS (watched); CREATE TABLE watched_last () INHERITS (watched_too)`,
  );
  await world.sql(`CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`);
  await world.sql(`CREATE TRIGGER touch BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION noop();
    CREATE TRIGGER on_insert BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION noop();
    CREATE RULE also AS ON UPDATE TO watched DO ALSO NOTIFY changed`);
  const { warnings, children } = await world.facts('watched');
  expect(warnings).toEqual([
    'every row that is re-encrypted fires touch on public.watched',
    'rules rewrite what is updated in public.watched: also',
  ]);
  expect(children).toEqual(['public.watched_last', 'public.watched_too']);
});
