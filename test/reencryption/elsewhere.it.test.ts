import { createCipheriv, randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { openFinder } from '../../src/ciphers/open-cipher.js';
import { prefixOf, writeGcm } from '../../src/ciphers/gcm-layout.js';
import { gcmFormat } from '../../src/domain/specs/ciphertext.js';
import { blindIndexes } from '../../src/reencryption/blind-index.js';
import { demandChildren } from '../../src/reencryption/children.js';
import { searchElsewhere, type Search } from '../../src/reencryption/elsewhere/search.js';
import { fernetToken } from '../ciphers/support.js';
import { createWorld, failureOf, FERNET, oldRows, type World } from './support.js';

let world: World;
const under = (key: Buffer, text = 'a credential'): string => fernetToken(key, text).toString();

beforeAll(async () => {
  world = await createWorld('elsewhere');
  await world.table('t', oldRows(world, 20));
  await world.sql(
    `CREATE SCHEMA other; CREATE DOMAIN other.secret AS text; CREATE TYPE other.pair AS (who text, what text)`,
  );
});

const inWords = ({ hits }: Search): string[] =>
  hits
    .map(({ schema, table, column, kind, count, path }) =>
      [`${schema}.${table}.${column}`, kind, count, ...(path ? [path.join('/')] : [])].join(' '),
    )
    .sort();

async function search(budget = 60_000, key = world.old): Promise<Search> {
  return searchElsewhere({
    server: world.server(),
    columns: [await world.facts('t')],
    finders: [openFinder(FERNET, key)],
    budget,
  });
}

test('whatever holds a value of the key is named, wherever it stands; what is declared is not', async () => {
  await world.sql(`
    CREATE TABLE child (PRIMARY KEY (id)) INHERITS (t);
    CREATE TABLE audit (id int PRIMARY KEY, doc jsonb, raw json, note varchar(4000), copies text[], files bytea, parts bytea[],
      short other.secret, pair other.pair, plain text DEFAULT 'nothing', UNIQUE (note));
    CREATE TABLE other.archive (n int, encrypted_value text) PARTITION BY RANGE (n);
    CREATE TABLE other.archive_1 PARTITION OF other.archive FOR VALUES FROM (0) TO (100);
    CREATE UNLOGGED TABLE "Odd ""name" ("a column" char(400));
    CREATE VIEW seen AS SELECT * FROM t;
    CREATE MATERIALIZED VIEW kept AS SELECT id, encrypted_value FROM t`);
  await world.sql(`INSERT INTO child SELECT id + 100, encrypted_value FROM ONLY t`);
  const [one, two] = [under(world.old), under(world.old, 'another')];
  await world.sql(
    `INSERT INTO audit VALUES (1, jsonb_build_object('was', jsonb_build_object('enc', $1::text)), json_build_array($1::text, $2::text),
       'changed from ' || $1 || ' to ' || $2, ARRAY[[$1, 'x'], ['y', $2]], convert_to($1, 'UTF8'), ARRAY[$3::bytea, NULL], $1, ROW('ana', $2), DEFAULT)`,
    [one, two, Buffer.from(one, 'base64url')],
  );
  await world.sql('INSERT INTO other.archive VALUES (1, $1)', [one]);
  await world.sql('INSERT INTO "Odd ""name" VALUES ($1)', [one]);
  const found = await search();
  expect(inWords(found)).toEqual([
    'other.archive_1.encrypted_value r 1',
    'public.Odd "name.a column r 1',
    'public.audit.copies r 2',
    'public.audit.doc r 1 was/enc',
    'public.audit.files r 1',
    'public.audit.note r 2',
    'public.audit.pair r 1',
    'public.audit.parts r 1',
    'public.audit.raw r 2 0',
    'public.audit.short r 1',
    'public.child.encrypted_value r 20',
    'public.kept.encrypted_value m 20',
  ]);
  expect(found.untried).toEqual([]);
  expect(inWords(await search(60_000, world.next))).toEqual([]);
  await world.sql('DROP TABLE child, audit, other.archive, "Odd ""name"; DROP VIEW seen; DROP MATERIALIZED VIEW kept');
});

test('of a declared document only its other parts are looked at, and rows that are not meant are', async () => {
  await world.sql('CREATE TABLE doc (id int PRIMARY KEY, d jsonb, value text, sealed boolean)');
  const [one, two] = [under(world.old), under(world.old)];
  await world.sql(
    `INSERT INTO doc VALUES (1, jsonb_build_object('a', $1::text), $1, true), (2, jsonb_build_object('a', $1::text, 'b', $2::text), 'plain', false),
       (3, '[1]', NULL, NULL), (4, '"text"', $2, NULL)`,
    [one, two],
  );
  const columns = [
    await world.facts('t'),
    await world.facts('doc', 'd', { path: ['a'] }),
    await world.facts('doc', 'value', { where: { sealed: true } }),
  ];
  const finders = [openFinder(FERNET, world.old)];
  const found = await searchElsewhere({ server: world.server(), columns, finders, budget: 60_000 });
  expect(inWords(found)).toEqual(['public.doc.d r 1 a', 'public.doc.value r 1']);
  await world.sql('DROP TABLE doc');
});

test('values that nothing marks are tried wherever they fit, with the row they may belong to', async () => {
  const format = gcmFormat.parse({ cipher: 'aes-256-gcm', separator: ':', associatedData: 'app:${row.id}' });
  const sealed = (text: string, associated: string): string => {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', world.old, iv).setAAD(Buffer.from(associated));
    const ciphertext = Buffer.concat([cipher.update(text), cipher.final()]);
    return writeGcm(format, prefixOf(format, world.old), { iv, tag: cipher.getAuthTag(), ciphertext }, true).toString();
  };
  await world.sql('CREATE TABLE copies (id int PRIMARY KEY, v text, doc jsonb)');
  await world.sql(
    `INSERT INTO copies VALUES (7, $1, NULL), (8, 'note: ' || $2, jsonb_build_object('old', $2::text)), (9, $3, NULL)`,
    [sealed('pin', 'app:7'), sealed('a long credential', 'app:1234'), sealed('pin', 'app:1234')],
  );
  const finders = [openFinder(format, world.old)];
  const found = await searchElsewhere({ server: world.server(), columns: [], finders, budget: 60_000 });
  expect(inWords(found)).toEqual(['public.copies.doc r 1 old', 'public.copies.v r 2']);
  expect(found.untried).toEqual(['public.copies.v (1 value(s) that could not be told)']);
  await world.sql('DROP TABLE copies');
});

test('what cannot be tried is named: no right, no time, elsewhere, policies, large objects', async () => {
  await world.sql(`CREATE TABLE closed (id int, v text); CREATE TABLE half (id int, v text, w text); CREATE SCHEMA locked;
    CREATE TABLE locked.away (v text); CREATE TABLE ruled (v text); ALTER TABLE ruled ENABLE ROW LEVEL SECURITY;
    CREATE ROLE elsewhere_reader LOGIN PASSWORD 'pw-elsewhere'; GRANT USAGE ON SCHEMA public TO elsewhere_reader;
    GRANT SELECT ON t, ruled TO elsewhere_reader; GRANT UPDATE ON t TO elsewhere_reader; GRANT SELECT (v) ON half TO elsewhere_reader`);
  await world.sql(`SELECT lo_create(0)`);
  const url = new URL(world.url);
  [url.username, url.password] = ['elsewhere_reader', 'pw-elsewhere'];
  const columns = [await world.facts('t')];
  const finders = [openFinder(FERNET, world.old)];
  const server = world.server(undefined, url.href);
  const { untried } = await searchElsewhere({ server, columns, finders, budget: 60_000 });
  expect([...untried].sort()).toEqual(
    [
      '1 large object(s)',
      'locked.away (no USAGE on the schema)',
      'public.closed (no SELECT on v)',
      'public.half (no SELECT on w)',
      'hostile.decoy (row-level security hides rows)',
      'public.ruled (row-level security hides rows)',
    ].sort(),
  );
  const late = await searchElsewhere({ server: world.server(), columns: [], finders, budget: 0 });
  expect(late.untried).toContain('public.t (no time was left)');
  await world.sql(`DROP OWNED BY elsewhere_reader; DROP ROLE elsewhere_reader; DROP TABLE closed, half, locked.away, ruled;
    SELECT lo_unlink(oid) FROM pg_largeobject_metadata`);
});

test('functions, operators and casts of the application are not called', async () => {
  const columns = [await world.facts('t')];
  const finders = [openFinder(FERNET, world.old)];
  await world.sql(`
    CREATE TABLE called (what text);
    CREATE TABLE trap (id int, v text, b bytea, d jsonb);
    CREATE FUNCTION public.strpos(text, text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
    CREATE OR REPLACE FUNCTION public.octet_length(varchar) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
    CREATE FUNCTION public.pg_column_size(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
    CREATE FUNCTION public.has_column_privilege(oid, smallint, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
    CREATE FUNCTION public.more(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
    CREATE OPERATOR public.> (LEFTARG = int, RIGHTARG = int, FUNCTION = public.more)`);
  await world.sql('INSERT INTO trap VALUES (1, $1, convert_to($1, $2), to_jsonb($1::text))', [
    under(world.old),
    'UTF8',
  ]);
  const database = new URL(world.url).pathname.slice(1);
  await world.sql(`ALTER DATABASE ${database} SET search_path = public, pg_catalog`);
  try {
    const found = await searchElsewhere({ server: world.server(), columns, finders, budget: 60_000 });
    expect(inWords(found)).toEqual(['public.trap.b r 1', 'public.trap.d r 1 ', 'public.trap.v r 1']);
  } finally {
    await world.sql(`ALTER DATABASE ${database} RESET search_path`);
    await world.sql(`DROP TABLE trap, called; DROP OPERATOR public.> (int, int); DROP FUNCTION public.strpos, public.octet_length(varchar),
      public.pg_column_size(text), public.has_column_privilege(oid, smallint, text), public.more`);
  }
});

test('a table that others inherit from is refused until each of them is declared', async () => {
  await world.sql(
    'CREATE TABLE parent (id int PRIMARY KEY, encrypted_value text); CREATE TABLE kid (PRIMARY KEY (id)) INHERITS (parent)',
  );
  const [parent, kid] = [await world.facts('parent'), await world.facts('kid')];
  const refusal = await failureOf(Promise.resolve().then(() => demandChildren([parent])));
  expect(refusal).toMatchObject({
    code: 'undeclared-children',
    message: 'public.kid inherits from public.parent, and its rows are not declared',
    hint: expect.stringContaining('{ table: public.kid, column: encrypted_value }') as string,
  });
  demandChildren([parent, kid]);
  await world.sql('DROP TABLE kid, parent');
});

test('a digest beside the column, with an index, is warned of', async () => {
  await world.sql(
    'CREATE TABLE people (id int PRIMARY KEY, encrypted_value text, mail_hash text NOT NULL UNIQUE, sum text)',
  );
  await world.sql(
    `INSERT INTO people SELECT n, NULL, encode(sha256(n::text::bytea), 'hex'), encode(sha256(n::text::bytea), 'hex') FROM generate_series(1, 9) n`,
  );
  const facts = await world.facts('people');
  expect(await world.server().asAdministrator((client) => blindIndexes(client, [facts]))).toEqual([
    expect.stringMatching(/^public\.people\.mail_hash has an index and looks like a digest/),
  ]);
  await world.sql('DROP TABLE people');
});
