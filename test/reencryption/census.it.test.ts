import { beforeAll, expect, test } from 'vitest';
import { census } from '../../src/reencryption/census.js';
import { sweep } from '../../src/reencryption/sweep.js';
import { fernetToken, flipped } from '../ciphers/support.js';
import { createWorld, oldRows, type World } from './support.js';

let world: World;

beforeAll(async () => {
  world = await createWorld('census');
});

test('every row is counted by what it reads under, and nothing is written', async () => {
  await world.table('mixed', [
    ...oldRows(world, 2_500),
    fernetToken(world.next, 'new'),
    null,
    Buffer.alloc(0),
    fernetToken(world.other, 'of a key that nobody has'),
    flipped(fernetToken(world.old, 'corrupt'), 70),
  ]);
  const facts = await world.facts('mixed');
  const counted = await census({ server: world.server(), facts, readers: world.readers(), budget: 60_000 });
  expect(counted).toMatchObject({
    name: 'public.mixed.encrypted_value',
    exact: true,
    seen: 2_505,
    counts: { rows: 2_505, old: 2_500, new: 1, empty: 2, unreadable: 2 },
    unreadable: ['id=2504', 'id=2505'],
  });
  expect(counted.estimate).toBeGreaterThan(10);
  expect(counted.estimate).toBeLessThan(60_000);
  expect(await world.sql('SELECT FROM mixed WHERE xmin <> (SELECT min(xmin::text)::xid FROM mixed)')).toEqual([]);
});

test('is a proof after a sweep: nothing reads under the old key, everything under the new key alone', async () => {
  await world.table('proven', oldRows(world, 500));
  const facts = await world.facts('proven');
  await sweep({ server: world.server(), facts, reencryptor: world.cipher() });
  const { old, new: fresh } = world.readers();
  const underOld = await census({ server: world.server(), facts, readers: { old, new: null }, budget: null });
  expect(underOld).toMatchObject({ exact: true, counts: { rows: 500, old: 0, unreadable: 500 } });
  const underNew = await census({ server: world.server(), facts, readers: { old: null, new: fresh }, budget: null });
  expect(underNew).toMatchObject({ exact: true, counts: { rows: 500, new: 500, unreadable: 0 }, estimate: 0 });
});

test('of a table too large for the budget it takes a sample, and says so', async () => {
  await world.table('large', []);
  const [fine, bad] = [fernetToken(world.old, 'fine').toString(), 'not a token'];
  await world.sql(
    `INSERT INTO large (id, encrypted_value) SELECT n, CASE WHEN n % 4 = 0 THEN '${bad}' ELSE '${fine}' END FROM generate_series(1, 60000) n`,
  );
  await world.sql('ANALYZE large');
  const facts = await world.facts('large');
  expect(facts.estimatedRows).toBe(60_000);
  const counted = await census({ server: world.server(), facts, readers: world.readers(), budget: 1_000 });
  expect(counted.exact).toBe(false);
  expect(counted.seen).toBeGreaterThan(500);
  expect(counted.counts.rows).toBeGreaterThan(55_000);
  const { old, unreadable } = counted.counts;
  expect(old / (old + unreadable)).toBeGreaterThan(0.6);
  expect(old / (old + unreadable)).toBeLessThan(0.9);
  expect(counted.unreadable.length).toBeGreaterThan(0);
  expect(counted.unreadable.length).toBeLessThanOrEqual(1_000);
  expect(new Set(counted.unreadable).size).toBe(counted.unreadable.length);
});

test('an empty table is known to be empty', async () => {
  await world.table('empty', []);
  const counted = await census({
    server: world.server(),
    facts: await world.facts('empty'),
    readers: world.readers(),
    budget: 10,
  });
  expect(counted).toMatchObject({
    exact: true,
    seen: 0,
    estimate: 0,
    counts: { rows: 0, old: 0, new: 0, empty: 0, unreadable: 0 },
  });
});
