/** Columns in which only some rows are encrypted, told by others of the row. */
import { beforeAll, expect, test } from 'vitest';
import { census } from '../../src/reencryption/census.js';
import { countOutside } from '../../src/reencryption/row-filter.js';
import { sweep } from '../../src/reencryption/sweep.js';
import { createWorld, expectCounts, failureOf, oldRows, plaintextOf, underNew, type World } from './support.js';

let world: World;

beforeAll(async () => {
  world = await createWorld('filter');
});

test('where plain values stand beside encrypted ones, only the rows that are meant are touched', async () => {
  const plain = (row: number): string => `legacy ${row}`;
  const tokens = oldRows(world, 30).map((token) => token.toString());
  await world.sql(`CREATE TABLE mixed (id bigint PRIMARY KEY, encrypted_value text, version text, gone boolean)`);
  await world.sql(
    `INSERT INTO mixed SELECT place, v, CASE WHEN place % 3 = 0 THEN 'it''s v2' WHEN place % 3 = 1 THEN 'v3' END, NULL
       FROM unnest($1::text[]) WITH ORDINALITY n(v, place)`,
    [tokens.map((token, row) => ((row + 1) % 3 === 2 ? plain(row) : token))],
  );
  await world.sql('ANALYZE mixed');
  const where = { version: ["it's v2", 'v3'], gone: null };
  const facts = await world.facts('mixed', 'encrypted_value', { where });
  expect(facts.estimatedRows).toBeGreaterThan(0);
  const server = world.server();
  expect(await server.asAdministrator((client) => countOutside(client, facts, 10_000))).toBe(10);
  const { counts } = await sweep({ server, facts, reencryptor: world.cipher() });
  expectCounts(counts, { read: 20, reencrypted: 20 });
  const values = await world.values('mixed');
  values.forEach((value, row) => {
    expect((row + 1) % 3 === 2 ? value : underNew(world, value)).toBe(
      (row + 1) % 3 === 2 ? plain(row) : plaintextOf(row),
    );
  });
  const counted = await census({ server, facts, readers: world.readers(), budget: null });
  expect(counted.counts).toEqual({ rows: 20, old: 0, new: 20, empty: 0, unreadable: 0 });
});

test('a where that the table cannot answer is refused, whatever it tries', async () => {
  await world.sql('CREATE TABLE flagged (id bigint PRIMARY KEY, encrypted_value text, sealed boolean)');
  const facts = (where: Record<string, string>) => world.facts('flagged', 'encrypted_value', { where });
  expect(await failureOf(facts({ seald: 'true' }))).toMatchObject({
    code: 'unknown-column',
    message: expect.stringContaining('did you mean sealed') as string,
  });
  expect(await failureOf(facts({ sealed: "true' OR true --" }))).toMatchObject({ code: 'bad-where' });
  expect(await failureOf(facts({ 'sealed" IS NULL OR "id': '1' }))).toMatchObject({ code: 'unknown-column' });
});
