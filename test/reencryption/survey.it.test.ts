import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { gcmFormat } from '../../src/domain/specs/ciphertext.js';
import type { PlannedColumn } from '../../src/domain/plan.js';
import { survey } from '../../src/reencryption/survey.js';
import { fernetToken } from '../ciphers/support.js';
import { createWorld, FERNET, oldRows, type World } from './support.js';

let world: World;
const column = (table: string, name: string, more: Partial<PlannedColumn> = {}): PlannedColumn => ({
  ...{ table, column: name, path: null, where: null, format: FERNET },
  ...more,
});

beforeAll(async () => {
  world = await createWorld('survey');
  await world.table('api_credentials', oldRows(world, 50));
  await world.sql(
    'CREATE SCHEMA other; CREATE TABLE other.integrations (id int PRIMARY KEY, name text, secret bytea, config jsonb, note text, digest text)',
  );
  await world.sql(
    `INSERT INTO other.integrations SELECT o, 'integration ' || o, v, w, 'see the wiki, page ' || o, x
       FROM unnest($1::bytea[], $2::jsonb[], $3::text[]) WITH ORDINALITY n(v, w, x, o)`,
    [
      Array.from({ length: 30 }, () => randomBytes(80)),
      Array.from({ length: 30 }, (_, row) =>
        JSON.stringify({ url: 'https://example.test', auth: [{ token: fernetToken(world.old, `${row}`).toString() }] }),
      ),
      Array.from({ length: 30 }, (_, row) => createHash('sha256').update(`${row}`).digest('hex')),
    ],
  );
  await world.sql('CREATE TABLE stray (id int PRIMARY KEY, body text)');
  await world.sql(`INSERT INTO stray SELECT n, 'a note about something ' || n FROM generate_series(1, 90) n`);
  await world.sql('INSERT INTO stray VALUES (100, $1)', [fernetToken(world.old, 'pasted').toString()]);
});

test('columns that look encrypted and are not declared are named, with how many values do', async () => {
  const found = await survey({ server: world.server(), declared: [column('api_credentials', 'encrypted_value')] });
  expect(found.sort()).toEqual([
    'other.integrations.config (30 of 60 values look like Fernet tokens)',
    'other.integrations.secret (30 of 30 values look like random bytes)',
    'public.stray.body (1 of 91 values look like Fernet tokens)',
  ]);
});

test('what is declared is not named; of a document only its other parts are', async () => {
  const declared = [
    column('public.api_credentials', 'encrypted_value'),
    column('other.integrations', 'secret', { format: gcmFormat.parse({ cipher: 'aes-256-gcm', encoding: 'binary' }) }),
    column('other.integrations', 'config', { path: ['auth', '0', 'token'] }),
    column('stray', 'body'),
  ];
  expect(await survey({ server: world.server(), declared })).toEqual([]);
  expect(
    await survey({
      server: world.server(),
      declared: [
        ...declared.slice(0, 2),
        column('other.integrations', 'config', { path: ['url'] }),
        column('stray', 'body'),
      ],
    }),
  ).toEqual(['other.integrations.config (30 of 30 values look like Fernet tokens)']);
});

test('values with a declared prefix are known by it', async () => {
  await world.sql('CREATE TABLE prefixed (id int PRIMARY KEY, v text)');
  await world.sql(`INSERT INTO prefixed SELECT n, 'enc:v1:' || repeat('a', 40) FROM generate_series(1, 5) n`);
  const format = gcmFormat.parse({ cipher: 'aes-256-gcm', prefix: 'enc:${key.id}:' });
  const found = await survey({
    server: world.server(),
    declared: [column('api_credentials', 'encrypted_value', { format })],
  });
  expect(found).toContain('public.prefixed.v (5 of 5 values look like values with a declared prefix)');
  await world.sql('DROP TABLE prefixed');
});

test('what there was no time for is said', async () => {
  const found = await survey({ server: world.server(), declared: [], budget: 0 });
  expect(found).toEqual([expect.stringMatching(/^\d+ columns were not looked at, the time was up$/)]);
});
