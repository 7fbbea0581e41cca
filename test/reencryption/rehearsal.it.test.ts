import { beforeAll, describe, expect, test } from 'vitest';
import { WHOLE_TABLE } from '../../src/reencryption/key-range.js';
import { rehearse } from '../../src/reencryption/rehearsal.js';
import { fernetToken } from '../ciphers/support.js';
import { createWorld, failureOf, oldRows, type World } from './support.js';

let world: World;

beforeAll(async () => {
  world = await createWorld('rehearsal');
});

async function run(table: string): Promise<void> {
  const facts = await world.facts(table);
  await rehearse({ server: world.server(), facts, reencryptor: world.cipher(), range: WHOLE_TABLE });
}

async function trigger(table: string, body: string, when = 'BEFORE UPDATE'): Promise<void> {
  await world.sql(
    `CREATE FUNCTION ${table}_fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NEW; END $$`,
  );
  const constraint = when.startsWith('AFTER') ? 'CONSTRAINT' : '';
  const deferred = constraint === '' ? '' : 'DEFERRABLE INITIALLY DEFERRED';
  await world.sql(
    `CREATE ${constraint} TRIGGER fired ${when} ON ${table} ${deferred} FOR EACH ROW EXECUTE FUNCTION ${table}_fired()`,
  );
}

test('a table that keeps what is written is left as it was, in whatever state its rows are', async () => {
  const rows = [null, Buffer.alloc(0), Buffer.from('broken'), fernetToken(world.next, 'new'), ...oldRows(world, 200)];
  await world.table('plain', rows);
  await trigger('plain', 'NEW.used_at := now()');
  const before = await world.values('plain');
  await run('plain');
  expect(await world.values('plain')).toEqual(before);
  await world.table('nothing', []);
  await run('nothing');
});

describe('a table that does not is refused, and left as it was:', () => {
  test.each([
    ['garbles', 'NEW.encrypted_value := lower(NEW.encrypted_value)', 50],
    ['garbles_one', `IF NEW.id = 7 THEN NEW.encrypted_value := '***'; END IF`, 1],
    ['keeps_the_old', 'NEW.encrypted_value := OLD.encrypted_value', 50],
  ])('%s', async (table, body, wrong) => {
    await world.table(table, oldRows(world, 120));
    await trigger(table, body);
    const before = await world.values(table);
    const error = await failureOf(run(table));
    expect(error).toMatchObject({ code: 'not-verified', effect: 'none', retryable: false });
    expect(error.message).toContain(`of 50 row(s) written to try it, ${wrong} did not keep`);
    expect(await world.values(table)).toEqual(before);
  });

  test('at the commit', async () => {
    await world.table('at_commit', oldRows(world, 10));
    await trigger('at_commit', `RAISE EXCEPTION 'no'`, 'AFTER UPDATE');
    expect(await failureOf(run('at_commit'))).toMatchObject({ code: 'query-failed', effect: 'none' });
  });
});

test('rows that somebody holds are passed over', async () => {
  await world.table('held', oldRows(world, 20));
  const other = await world.connect();
  await other.query('BEGIN; SELECT * FROM held FOR UPDATE');
  await run('held');
  await other.query('ROLLBACK; BEGIN; LOCK TABLE held IN EXCLUSIVE MODE');
  await run('held');
  await other.query('ROLLBACK');
});
