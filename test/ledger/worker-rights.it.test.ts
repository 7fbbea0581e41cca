/** What the worker's role can do to the ledger, tried as that role on a real server; and what Keyturn says where it can do more. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askLedger } from '../../src/activities/ask-ledger.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { migrateLedger } from '../../src/ledger/ledger-owner.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { freshLedger, type FreshLedger } from '../support/ledgers.js';
import { freshRoleName } from '../support/servers.js';
import { entry } from './entries.js';

let fresh: FreshLedger;
let ledger: PostgresLedger;
const openLedger = async (): Promise<void> => {
  fresh = await freshLedger('rights');
  ledger = new PostgresLedger(fresh.url);
};
const closeLedger = (): Promise<void> => ledger.close();

async function on(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
const asOwner = (statement: string): Promise<void> => on(fresh.ownerUrl, statement);
const asWorker = (statement: string): Promise<void> => on(fresh.url, statement);

describe("the worker's role", () => {
  // Nothing of it is changed for good.
  beforeAll(openLedger);
  afterAll(closeLedger);

  test('adds rows, from several connections at once, reads them and walks the chain', async () => {
    const others = [new PostgresLedger(fresh.url), new PostgresLedger(fresh.url)];
    try {
      const all = [ledger, ...others];
      await Promise.all(Array.from({ length: 12 }, (_, index) => all[index % 3]!.append(entry(index))));
      expect(await ledger.append(entry(3))).toMatchObject({ requestId: entry(3).requestId });
      expect(await ledger.list({ limit: 5 })).toHaveLength(5);
      expect(await ledger.latest()).not.toEqual([]);
      expect(await ledger.verify()).toMatchObject({ intact: true, rows: 12 });
      expect(await ledger.inspect()).toEqual([]);
    } finally {
      for (const other of others) await other.close();
    }
  });

  test.each([
    `UPDATE keyturn.rotations SET notes = 'x'`,
    'DELETE FROM keyturn.rotations',
    'TRUNCATE keyturn.rotations',
    'DROP TABLE keyturn.rotations',
    'DROP SCHEMA keyturn CASCADE',
    'ALTER TABLE keyturn.rotations DISABLE TRIGGER ALL',
    'ALTER TABLE keyturn.rotations DROP CONSTRAINT rotations_no_fork',
    'DROP TRIGGER append_only ON keyturn.rotations',
    `CREATE OR REPLACE FUNCTION keyturn.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    'DROP FUNCTION keyturn.refuse_change() CASCADE',
    'CREATE TRIGGER own BEFORE INSERT ON keyturn.rotations FOR EACH ROW EXECUTE FUNCTION keyturn.refuse_change()',
    'CREATE RULE own AS ON INSERT TO keyturn.rotations DO INSTEAD NOTHING',
    'CREATE TABLE keyturn.other ()',
    'BEGIN; LOCK TABLE keyturn.rotations IN ACCESS EXCLUSIVE MODE',
    'SELECT * FROM keyturn.rotations FOR UPDATE',
    `INSERT INTO keyturn.rotations SELECT * FROM keyturn.rotations ON CONFLICT (request_id) DO UPDATE SET notes = 'x'`,
    `INSERT INTO keyturn.migrations (version, name) VALUES (99, 'x')`,
    'DELETE FROM keyturn.migrations',
    'GRANT UPDATE ON keyturn.rotations TO PUBLIC; UPDATE keyturn.rotations SET notes = notes',
  ])('is refused: %s', async (statement) => {
    await ledger.append(entry(0));
    await expect(asWorker(statement)).rejects.toThrow(/permission denied|must be owner/);
    expect(await ledger.verify()).toMatchObject({ intact: true, rows: 12 });
  });

  test('that lacks a right is told which, and what to type', async () => {
    await asOwner(`REVOKE INSERT ON keyturn.rotations FROM "${fresh.role}"`);
    await expect(ledger.inspect()).rejects.toMatchObject({
      code: 'ledger-misconfigured',
      message: `the ledger's role "${fresh.role}" lacks INSERT on keyturn.rotations`,
      hint: `as the owner of its tables, with KEYTURN_LEDGER_OWNER_URL set: keyturn ledger migrate --grant-to ${fresh.role}`,
    });
    await migrateLedger(fresh.ownerUrl, fresh.role);
    expect(await ledger.inspect()).toEqual([]);
  });
});

/** @returns the statements in the sentences. */
function statementsIn(sentences: readonly string[]): string[] {
  return sentences.map((sentence) => /, which no worker needs: (.*;)$/.exec(sentence)?.[1] ?? sentence);
}

describe('a role that may do more is told so, with statements that end it', () => {
  beforeEach(openLedger);
  afterEach(closeLedger);

  test.each<[string, (role: string) => string]>([
    ['table privileges', (role) => `GRANT ALL ON keyturn.rotations, keyturn.migrations TO "${role}"`],
    ['one column', (role) => `GRANT UPDATE (notes) ON keyturn.rotations TO "${role}"`],
    ['everybody has it', () => 'GRANT DELETE ON keyturn.rotations TO PUBLIC'],
    ['the schema', (role) => `GRANT CREATE ON SCHEMA keyturn TO "${role}"`],
    ['roles', (role) => `ALTER ROLE "${role}" CREATEROLE`],
    ["PostgreSQL's own writer of everything", (role) => `GRANT pg_write_all_data TO "${role}"`],
    ['programs of the server', (role) => `GRANT pg_execute_server_program TO "${role}"`],
  ])('%s', async (_, grant) => {
    await asOwner(grant(fresh.role));
    const said = await ledger.inspect();
    expect(said).not.toEqual([]);
    for (const sentence of said) expect(sentence.startsWith(`the ledger's role "${fresh.role}" `)).toBe(true);
    for (const statement of statementsIn(said)) await asOwner(statement);
    expect(await ledger.inspect()).toEqual([]);
    await ledger.append(entry(1));
  });

  test('through a group that it does not inherit from, and one behind that', async () => {
    const [outer, inner] = [freshRoleName('outer'), freshRoleName('inner')];
    await asOwner(`CREATE ROLE "${inner}"; CREATE ROLE "${outer}" NOINHERIT; GRANT "${inner}" TO "${outer}"; GRANT "${outer}" TO "${fresh.role}";
      GRANT TRUNCATE ON keyturn.rotations TO "${inner}"`);
    const said = await ledger.inspect();
    expect(statementsIn(said)).toEqual([`REVOKE TRUNCATE ON TABLE keyturn.rotations FROM ${inner};`]);
    await asOwner(statementsIn(said)[0]!);
    expect(await ledger.inspect()).toEqual([]);
  });

  test('as a member of the owner, however far away, and as the owner', async () => {
    const [owner, group] = [freshRoleName('owner'), freshRoleName('group')];
    await asOwner(`CREATE ROLE "${owner}"; CREATE ROLE "${group}"; GRANT "${owner}" TO "${group}"; GRANT "${group}" TO "${fresh.role}";
      ALTER SCHEMA keyturn OWNER TO "${owner}"; ALTER TABLE keyturn.rotations OWNER TO "${owner}"`);
    const asMember = await ledger.inspect();
    expect(statementsIn(asMember)).toEqual([`REVOKE "${group}" FROM "${fresh.role}";`]);
    await asOwner(statementsIn(asMember)[0]!);
    expect(await ledger.inspect()).toEqual([]);

    await asOwner(
      `ALTER TABLE keyturn.rotations OWNER TO "${fresh.role}"; ALTER DATABASE "${fresh.name}" OWNER TO "${fresh.role}"`,
    );
    const asItself = statementsIn(await ledger.inspect());
    for (const statement of asItself) await asOwner(statement.replaceAll('keyturn_owner', `"${owner}"`));
    expect(asItself.join('\n')).toMatch(
      /ALTER DATABASE .*\nALTER TABLE keyturn.rotations OWNER TO keyturn_owner; GRANT /,
    );
    expect(await ledger.inspect()).toEqual([]);
  });

  test('a superuser, and so says every run before it begins', async () => {
    const administrator = new PostgresLedger(fresh.ownerUrl);
    try {
      expect(await administrator.inspect()).toEqual([expect.stringContaining('is a superuser')]);
      expect(await askLedger({ ledger: administrator })).toEqual({
        warning: expect.stringContaining('is a superuser') as string,
      });
      expect(await askLedger({ ledger })).toBe('the ledger is reachable');
    } finally {
      await administrator.close();
    }
  });
});

describe('whoever migrates', () => {
  beforeAll(openLedger);
  afterAll(closeLedger);

  const failure = async (promise: Promise<unknown>): Promise<KeyturnError> => {
    const error: unknown = await promise.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (error instanceof KeyturnError) return error;
    throw new Error(`no KeyturnError: ${String(error)}`);
  };

  test('is not the worker', async () => {
    const { username } = new URL(fresh.ownerUrl);
    const error = await failure(migrateLedger(fresh.ownerUrl, username));
    expect(error.message).toBe(`"${username}" owns the ledger's tables: the worker may not be the same role`);
  });

  test('grants to a role that is there', async () => {
    const error = await failure(migrateLedger(fresh.ownerUrl, 'no_such_role'));
    expect(error).toMatchObject({
      code: 'ledger-misconfigured',
      hint: 'as an administrator, in psql: CREATE ROLE "no_such_role" LOGIN; then \\password no_such_role',
    });
  });

  test("makes nothing in a schema that is another's: it could change what is made there", async () => {
    const early = await freshLedger('rights_early', { migrated: false });
    await on(early.ownerUrl, `CREATE SCHEMA keyturn AUTHORIZATION "${early.role}"`);
    const error = await failure(migrateLedger(early.ownerUrl, early.role));
    expect(error.message).toContain(`the ledger's schema belongs to "${early.role}"`);
    const tables = new PostgresLedger(early.url);
    try {
      expect((await failure(tables.inspect())).message).toBe('the ledger has no tables yet');
    } finally {
      await tables.close();
    }
  });

  test("reads nothing in a schema that is another's: a policy there would run as the ledger's owner", async () => {
    const early = await freshLedger('rights_policy', { migrated: false });
    const owner = freshRoleName('policy_owner');
    await on(
      early.ownerUrl,
      [
        `CREATE ROLE "${owner}" LOGIN PASSWORD 'owner-of-the-ledger' NOSUPERUSER`,
        `GRANT CONNECT, CREATE ON DATABASE "${early.name}" TO "${owner}"`,
        `CREATE SCHEMA keyturn AUTHORIZATION "${early.role}"`,
        `CREATE SEQUENCE keyturn.taken`,
        `CREATE FUNCTION keyturn.take() RETURNS boolean LANGUAGE sql AS $$ SELECT nextval('keyturn.taken') > 0 $$`,
        `CREATE TABLE keyturn.migrations (version integer, name text, applied_at timestamptz)`,
        `INSERT INTO keyturn.migrations VALUES (1, 'theirs', now())`,
        `ALTER TABLE keyturn.migrations ENABLE ROW LEVEL SECURITY`,
        `CREATE POLICY takes ON keyturn.migrations USING (keyturn.take())`,
        `GRANT USAGE ON SCHEMA keyturn TO PUBLIC`,
        `GRANT ALL ON ALL TABLES IN SCHEMA keyturn TO PUBLIC`,
        `GRANT ALL ON ALL SEQUENCES IN SCHEMA keyturn TO PUBLIC`,
      ].join('; '),
    );
    const url = new URL(early.ownerUrl);
    url.username = owner;
    url.password = 'owner-of-the-ledger';
    try {
      const error = await failure(migrateLedger(url.href, early.role));
      expect(error.message).toContain(`belongs to "${early.role}", not to "${owner}"`);
      await on(
        early.ownerUrl,
        `DO $$ BEGIN IF (SELECT is_called FROM keyturn.taken) THEN RAISE 'it ran'; END IF; END $$`,
      );
    } finally {
      await on(early.ownerUrl, `DROP OWNED BY "${owner}"; DROP ROLE "${owner}"`);
    }
  });

  test('may be one who is no superuser', async () => {
    const bare = await freshLedger('rights_bare', { migrated: false });
    const owner = freshRoleName('bare_owner');
    await on(
      bare.ownerUrl,
      `CREATE ROLE "${owner}" LOGIN PASSWORD 'a-long-test-password'; ALTER DATABASE "${bare.name}" OWNER TO "${owner}"`,
    );
    const url = new URL(bare.ownerUrl);
    url.username = owner;
    url.password = 'a-long-test-password';
    await migrateLedger(url.href, bare.role);
    const worker = new PostgresLedger(bare.url);
    try {
      expect(await worker.inspect()).toEqual([]);
      await worker.append(entry(1));
      expect(await worker.verify()).toMatchObject({ intact: true, rows: 1 });
    } finally {
      await worker.close();
    }
  });
});
