import { beforeAll, describe, expect, test } from 'vitest';
import { openReader, openReencryptor } from '../../src/ciphers/open-cipher.js';
import type { ColumnFacts } from '../../src/reencryption/column-facts.js';
import { destroyQuarantines } from '../../src/reencryption/destroy-quarantine.js';
import { findLoss } from '../../src/reencryption/loss.js';
import { findReentries } from '../../src/reencryption/reentries.js';
import { recover, undoRecovery, type RecoveredTable } from '../../src/reencryption/recover.js';
import { fernetToken } from '../ciphers/support.js';
import { createWorld, expectCounts, failureOf, FERNET, plaintextOf, underNew, type World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await createWorld('recover');
});

/** Every second row under a key that nobody has. */
function halfLost(rows: number): Buffer[] {
  return Array.from({ length: rows }, (_, row) =>
    fernetToken(row % 2 === 0 ? world.old : world.other, plaintextOf(row)),
  );
}

function back(facts: readonly ColumnFacts[]) {
  const reencryptor = openReencryptor(FERNET, { from: world.next, to: world.old });
  const columns = facts.map((of) => ({ facts: of, reencryptor, reader: openReader(FERNET, world.old) }));
  return undoRecovery({ server: world.server(), columns, rotation: 'run-1' });
}

async function away(facts: readonly ColumnFacts[], label: readonly string[] = []): Promise<RecoveredTable[]> {
  const columns = facts.map((of) => ({
    facts: of,
    reencryptor: world.cipher(),
    reader: openReader(FERNET, world.next),
  }));
  return await recover({ server: world.server(), columns, rotation: 'run-1', label });
}

const loss = (facts: readonly ColumnFacts[], label: readonly string[] = []) =>
  findLoss({
    server: world.server(),
    columns: facts.map((of) => ({
      facts: of,
      readers: [{ name: 'the key in use', reader: openReader(FERNET, world.old) }],
    })),
    rotation: 'run-1',
    label,
  });

const look = (facts: ColumnFacts, label: readonly string[]) =>
  findReentries({
    server: world.server(),
    columns: [{ facts, reader: openReader(FERNET, world.next) }],
    rotation: 'run-1',
    label,
  });

const destroy = (facts: readonly ColumnFacts[], lists: readonly string[] = [], rotation = 'run-1') =>
  destroyQuarantines({
    ...{ server: world.server(), rotation, label: ['platform'], lists },
    columns: facts.map((of) => ({ facts: of })),
  });

const digest = async (table: string): Promise<unknown> =>
  (await world.sql(`SELECT md5(string_agg(t::text, E'\\n' ORDER BY id)) AS md5 FROM ${table} t`))[0]?.['md5'];

test('the readable half is kept under the new key, the rest is moved as it is, and a second call changes nothing', async () => {
  await world.table('half', [...halfLost(500), null, Buffer.alloc(0)]);
  const lost = await world.sql('SELECT * FROM half WHERE id <= 500 AND id % 2 = 0 ORDER BY id');
  const facts = await world.facts('half');
  const [before] = await loss([facts]);
  expect(before).toMatchObject({ table: 'public.half', lost: 250, quarantine: null });
  expect(before?.columns).toEqual([
    {
      name: 'public.half.encrypted_value',
      rows: 502,
      empty: 2,
      reads: [{ name: 'the key in use', rows: 250 }],
      lost: 250,
    },
  ]);
  expect(before?.identities.slice(0, 2)).toEqual(['id=2', 'id=4']);

  const [done] = await away([facts]);
  expectCounts(done!.columns[0]!.counts, { read: 502, reencrypted: 250, empty: 2, unreadable: 250 });
  expect(done?.quarantined).toBe(250);
  expect(done?.quarantine).toMatch(/^"public"\."half_quarantine_\d{8}_[0-9a-f]{8}"$/);
  const kept = await world.sql('SELECT id::int, encrypted_value AS v FROM half WHERE id <= 500 ORDER BY id');
  expect(kept.map(({ id, v }) => [id, underNew(world, v as string)])).toEqual(
    Array.from({ length: 250 }, (_, row) => [2 * row + 1, plaintextOf(2 * row)]),
  );
  const moved = await world.sql(`SELECT id, encrypted_value, used_at FROM ${done!.quarantine!} ORDER BY id`);
  expect(moved).toEqual(lost);

  const [sum, sumMoved] = [await digest('half'), await digest(done!.quarantine!)];
  const [again] = await away([facts]);
  expectCounts(again!.columns[0]!.counts, { read: 252, alreadyNew: 250, empty: 2 });
  expect(again).toMatchObject({ quarantine: done?.quarantine, quarantined: 250 });
  expect([await digest('half'), await digest(done!.quarantine!)]).toEqual([sum, sumMoved]);
});

test('undone: the lost rows to the byte, the others under the old key, identity and generated columns included', async () => {
  await world.sql(
    `CREATE TABLE undone (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, encrypted_value text NOT NULL UNIQUE,
       length int GENERATED ALWAYS AS (length(encrypted_value)) STORED, "Odd name" text DEFAULT 'x' CHECK ("Odd name" <> ''))`,
  );
  await world.sql('INSERT INTO undone (encrypted_value) SELECT unnest($1::text[])', [halfLost(20).map(String)]);
  const lost = (): Promise<unknown> => digest('(SELECT * FROM undone WHERE id % 2 = 0)');
  const before = await lost();
  const facts = await world.facts('undone');
  await away([facts]);
  expect(await back([facts])).toEqual({ reencrypted: 10, back: 10 });
  expect(await lost()).toBe(before);
  const [after] = await loss([facts]);
  expect(after).toMatchObject({ lost: 10, quarantine: null });
  expect(await back([facts])).toEqual({ reencrypted: 0, back: 0 });
});

test('a row entered again under the same key stands in the way of the undo, which changes nothing', async () => {
  await world.table('reused', halfLost(4));
  const facts = await world.facts('reused');
  const [done] = await away([facts]);
  await world.sql('INSERT INTO reused (id, encrypted_value) VALUES (2, $1)', [String(fernetToken(world.next, 'anew'))]);
  const sum = await digest('reused');
  await failureOf(back([facts]));
  expect(await digest('reused')).toBe(sum);
  expect(await digest(done!.quarantine!)).not.toBeNull();
});

describe('refused before anything is changed, by the look beforehand and by the transaction:', () => {
  const refused = async (facts: readonly ColumnFacts[], code: string, message: RegExp): Promise<void> => {
    const sum = await digest(facts[0]!.table);
    // One after the other: a second that failed while the first is looked at would be nobody's.
    for (const attempt of [() => loss(facts), () => away(facts)]) {
      const error = await failureOf(attempt());
      expect(error).toMatchObject({ code, effect: 'none' });
      expect(error.message).toMatch(message);
    }
    expect(await digest(facts[0]!.table)).toBe(sum);
  };

  test('rows that another table points to, even where its foreign key would delete its own', async () => {
    await world.table('parent', halfLost(6));
    await world.sql(
      'CREATE TABLE child (parent bigint REFERENCES parent ON DELETE CASCADE); INSERT INTO child VALUES (1), (2), (2), (4)',
    );
    await refused(
      [await world.facts('parent')],
      'rows-referenced',
      /^3 row\(s\) of public\.child point to rows of public\.parent/,
    );
    await world.sql('DELETE FROM child WHERE parent <> 1');
    expect((await away([await world.facts('parent')]))[0]?.quarantined).toBe(3);
  });

  test('a row that can be read in one column and not in another', async () => {
    await world.table('two', halfLost(4));
    await world.sql('ALTER TABLE two ADD COLUMN refresh text');
    await world.sql('UPDATE two SET refresh = $1 WHERE id = 2', [String(fernetToken(world.old, 'readable'))]);
    const facts = [await world.facts('two'), await world.facts('two', 'refresh')];
    await refused(facts, 'half-readable', /^1 unreadable row\(s\) have a readable public\.two\.refresh/);
    await world.sql('UPDATE two SET refresh = $1 WHERE id = 2', [String(fernetToken(world.other, 'lost too'))]);
    expect((await away(facts))[0]?.quarantined).toBe(2);
  });
});

test('a trigger that keeps rows: all is rolled back', async () => {
  await world.table('kept', halfLost(6));
  await world.sql(
    `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN OLD.id = 6 THEN NULL ELSE OLD END; END $$;
     CREATE TRIGGER keep BEFORE DELETE ON kept FOR EACH ROW EXECUTE FUNCTION keep()`,
  );
  const sum = await digest('kept');
  expect(await failureOf(away([await world.facts('kept')]))).toMatchObject({ code: 'not-written', effect: 'none' });
  expect(await digest('kept')).toBe(sum);
});

test('keys of several columns, arrays and long names; a partitioned table', async () => {
  const long = 'a_table_whose_name_is_as_long_as_the_server_lets_it_be_00000000';
  await world.sql(
    `CREATE TABLE ${long} (tenant int, tags text[], encrypted_value text, PRIMARY KEY (tenant, tags)) PARTITION BY RANGE (tenant);
     CREATE TABLE part_1 PARTITION OF ${long} FOR VALUES FROM (0) TO (10); CREATE TABLE part_2 PARTITION OF ${long} FOR VALUES FROM (10) TO (20)`,
  );
  await world.sql(
    `INSERT INTO ${long} SELECT o, ARRAY['a', o::text], v FROM unnest($1::text[]) WITH ORDINALITY n(v, o)`,
    [halfLost(16).map(String)],
  );
  const facts = await world.facts(long);
  expect((await loss([facts]))[0]?.identities[0]).toBe('tenant=2, tags={a,2}');
  const [done] = await away([facts]);
  expect(done?.quarantined).toBe(8);
  expect(await back([facts])).toEqual({ reencrypted: 8, back: 8 });
});

test('what is entered again is found by key, and by a label that no other row had', async () => {
  await world.table('labelled', halfLost(8));
  await world.sql(
    `ALTER TABLE labelled ADD COLUMN platform text; UPDATE labelled SET platform = 'p' || CASE id WHEN 8 THEN 1 ELSE id END`,
  );
  const facts = await world.facts('labelled');
  await away([facts], ['platform']);
  // Row 8 is like row 1, which was kept: that is no re-entry.
  expect(await look(facts, ['platform'])).toMatchObject([{ quarantined: 4, entered: 0, there: [] }]);
  const enter = (id: number, platform: string, key: Buffer) =>
    world.sql('INSERT INTO labelled VALUES ($1, $2, NULL, $3)', [id, String(fernetToken(key, 'anew')), platform]);
  await enter(2, 'renamed', world.next);
  await enter(104, 'p4', world.next);
  await enter(106, 'p6', world.other);
  await enter(108, 'p1', world.next);
  expect(await look(facts, ['platform'])).toMatchObject([
    {
      entered: 2,
      there: ['id=2 (platform=p2)', 'id=4 (platform=p4)'],
      missing: ['id=6 (platform=p6)', 'id=8 (platform=p1)'],
    },
  ]);
});

describe('a quarantine that is destroyed', () => {
  test('is gone with its rows, what was kept stays as it is, and a second call finds nothing', async () => {
    await world.table('ended', halfLost(10));
    const facts = await world.facts('ended');
    const [done] = await away([facts]);
    const sum = await digest('ended');
    expect(await destroy([facts], [], 'run-2')).toEqual([]);
    expect(await destroy([facts])).toEqual([{ quarantine: done?.quarantine, rows: 5 }]);
    expect(await destroy([facts])).toEqual([]);
    expect(await world.sql(`SELECT relname FROM pg_class WHERE relname ~ '^ended_(quarantine|identities)'`)).toEqual(
      [],
    );
    expect(await digest('ended')).toBe(sum);
    expect(await look(facts, [])).toEqual([]);
    expect((await loss([facts]))[0]).toMatchObject({ quarantine: null, quarantined: 0 });
  });

  test('leaves the names of more rows than people are told of, and no value', async () => {
    await world.table('many', halfLost(500));
    await world.sql(`ALTER TABLE many ADD COLUMN platform text; UPDATE many SET platform = 'p' || id`);
    const facts = await world.facts('many');
    await away([facts], ['platform']);
    const [found] = await look(facts, ['platform']);
    expect(found?.missing).toHaveLength(200);
    expect(found?.names).toMatch(/^"public"\."many_identities_\d{8}_[0-9a-f]{8}"$/);
    expect(await destroy([facts], [found!.names])).toMatchObject([{ rows: 250 }]);
    const named = await world.sql(`SELECT * FROM ${found!.names} ORDER BY id`);
    expect(named).toEqual(
      Array.from({ length: 250 }, (_, row) => ({ id: String(2 * row + 2), platform: `p${2 * row + 2}` })),
    );
  });

  test('stays whole while somebody reads it, and that is tried again', async () => {
    await world.table('dumped', halfLost(4));
    const facts = await world.facts('dumped');
    const [done] = await away([facts]);
    const reader = await world.connect();
    await reader.query(`BEGIN; SELECT * FROM ${done!.quarantine!}`);
    expect(await failureOf(destroy([facts]))).toMatchObject({ retryable: true, effect: 'none' });
    await reader.query('ROLLBACK');
    expect(await destroy([facts])).toMatchObject([{ rows: 2 }]);
  });

  test('is looked into before: a key that has turned up since reads what is in it', async () => {
    await world.table('found', halfLost(4));
    const facts = await world.facts('found');
    await away([facts]);
    const readersOf = (keys: Record<string, Buffer>) =>
      Object.entries(keys).map(([name, key]) => ({ name, reader: openReader(FERNET, key) }));
    const readers = readersOf({ 'the key in use': world.next, 'the key from the safe': world.other });
    const [seen] = await findLoss({
      ...{ server: world.server(), rotation: 'run-1', label: [] },
      columns: [{ facts, readers }],
    });
    expect(seen).toMatchObject({ lost: 0, quarantined: 2, readsAgain: ['the key from the safe'] });
  });
});
