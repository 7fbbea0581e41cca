/** What happens to the two roles while both are in use, and in the middle of our own steps. */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { actingGroup } from '../../../src/databases/roles/acting-group.js';
import { carryOver } from '../../../src/databases/roles/carry-over.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin } from '../../../src/databases/roles/drop-login.js';
import { inspectRole } from '../../../src/databases/roles/inspect-role.js';
import type { RolePair } from '../../../src/databases/roles/pair.js';
import { inTransaction } from '../../../src/databases/roles/session.js';
import { carryMappings } from '../../../src/databases/roles/user-mappings.js';
import type { Server } from '../../../src/databases/server.js';
import { freshHostileDatabase, type FreshHostileDatabase } from '../../support/hostile-database.js';
import { freshRoleName, postgresLog, useOwnServer } from '../../support/servers.js';
import { EQUAL, id, MARK, run, scramVerifier, serverOn } from './support/world.js';

const verifier = scramVerifier('fresh-password');
let app: FreshHostileDatabase;
let server: Server;

useOwnServer();

beforeAll(async () => {
  app = await freshHostileDatabase('meanwhile');
  server = serverOn(app.url);
});

interface Two extends RolePair {
  /** Owns the schema of its name, and gave the old role all it has. */
  readonly owner: string;
}

async function twoRoles(strategy: RolePair['strategy'] = 'copy'): Promise<Two> {
  const [old, fresh, owner] = [freshRoleName('mean_old'), freshRoleName('mean_fresh'), freshRoleName('mean_owner')];
  await run(
    app.url,
    `CREATE ROLE ${id(owner)}; CREATE SCHEMA ${id(owner)} AUTHORIZATION ${id(owner)};
     CREATE ROLE ${id(old)} LOGIN CONNECTION LIMIT 7 VALID UNTIL '2031-01-01';
     ALTER ROLE ${id(old)} SET statement_timeout TO '12s';
     GRANT USAGE, CREATE ON SCHEMA ${id(owner)} TO ${id(old)};
     SET ROLE ${id(owner)}; CREATE TABLE ${id(owner)}.t (id int); GRANT SELECT ON ${id(owner)}.t TO ${id(old)}`,
  );
  await app.trapTables();
  return { strategy, old, fresh, group: null, owner };
}

describe.each(['copy', 'group'] as const)('a grant to the new role, by %s', (strategy) => {
  it('does not count against it, and is not lost when the new role is undone', async () => {
    const pair = await twoRoles(strategy);
    const { old, fresh, owner } = pair;
    const [team, person] = [freshRoleName('mean_team'), freshRoleName('mean_person')];
    await createLogin(server, { ...pair, verifier, mark: MARK });
    await run(
      app.url,
      `CREATE ROLE ${id(team)}; CREATE ROLE ${id(person)}; GRANT ${id(team)} TO ${id(fresh)}; GRANT ${id(fresh)} TO ${id(person)};
       SET ROLE ${id(owner)}; CREATE TABLE ${id(owner)}.later (id int);
       GRANT INSERT, UPDATE (id) ON ${id(owner)}.later TO ${id(fresh)}; GRANT DELETE ON ${id(owner)}.t TO ${id(fresh)} WITH GRANT OPTION;
       ALTER DEFAULT PRIVILEGES IN SCHEMA ${id(owner)} GRANT TRUNCATE ON TABLES TO ${id(fresh)};
       RESET ROLE; SET ROLE ${id(fresh)}; GRANT DELETE ON ${id(owner)}.t TO ${id(team)}`,
    );
    if (strategy === 'copy') {
      const { missing, extra } = await compareRights(server, pair);
      expect(missing).toEqual([]);
      expect(extra).toContain(
        `database ${app.name}: table ${owner}.later: INSERT: the new role has it, the old one not`,
      );
    }
    expect((await carryOver(server, pair)).given).toEqual([]);
    const { summary } = await dropLogin(server, { role: fresh, heir: old, mark: MARK });
    expect(summary).toContain(`granted to it meanwhile, now to ${old}: ${old}: member of ${team}`);
    expect(await inspectRole(server, fresh)).toBeNull();
    await run(app.url, `SET ROLE ${id(owner)}; CREATE TABLE ${id(owner)}.last (id int)`);
    expect(
      await run(
        app.url,
        `SELECT has_table_privilege('${old}', '${owner}.later', 'INSERT') AS "insert",
                has_column_privilege('${old}', '${owner}.later', 'id', 'UPDATE') AS "update",
                has_table_privilege('${old}', '${owner}.t', 'DELETE WITH GRANT OPTION') AS "delete",
                has_table_privilege('${team}', '${owner}.t', 'DELETE') AS passed,
                has_table_privilege('${old}', '${owner}.last', 'TRUNCATE') AS future,
                pg_has_role('${old}', '${team}', 'USAGE') AS team, pg_has_role('${person}', '${old}', 'USAGE') AS person`,
      ),
    ).toEqual([{ insert: true, update: true, delete: true, passed: true, future: true, team: true, person: true }]);
  });
});

it.each(['copy', 'group'] as const)(
  'a login that a step of any run works with is nobody to compare, by %s',
  async (strategy) => {
    const pair = await twoRoles(strategy);
    const { old, owner } = pair;
    await run(app.url, `SET ROLE ${id(old)}; CREATE TABLE ${id(owner)}.own (id int)`);
    await createLogin(server, { ...pair, verifier, mark: MARK });
    const step = serverOn(app.url);
    try {
      const seen = await step.asWorker(
        async (client) => ({
          member: (await client.query(`SELECT pg_has_role('${old}', 'MEMBER') AND session_user <> '${old}' AS is`))
            .rows,
          compared: await compareRights(server, pair),
          given: (await carryOver(server, pair)).given,
        }),
        { touched: [`${owner}.own`] },
      );
      expect(seen).toEqual({ member: [{ is: true }], compared: EQUAL, given: [] });
    } finally {
      await step.close();
    }
  },
);

it('limits and settings that were tuned on the new role stay, and show as a difference but not as something missing', async () => {
  const pair = await twoRoles();
  const { old, fresh } = pair;
  await createLogin(server, { ...pair, verifier, mark: MARK });
  expect(await compareRights(server, pair)).toEqual(EQUAL);
  await run(
    app.url,
    `ALTER ROLE ${id(fresh)} CONNECTION LIMIT -1 VALID UNTIL 'infinity'; ALTER ROLE ${id(fresh)} SET statement_timeout TO '60s';
     ALTER ROLE ${id(old)} CREATEDB; ALTER ROLE ${id(old)} SET lock_timeout TO '3s'`,
  );
  expect((await carryOver(server, pair)).given).toEqual(['createdb', 'setting lock_timeout: 3s']);
  expect((await carryOver(server, pair)).given).toEqual([]);
  await createLogin(server, { ...pair, verifier, mark: MARK });
  expect(await compareRights(server, pair)).toEqual({
    missing: [],
    extra: [
      'connection limit: the new role has -1, the old one 7',
      'setting statement_timeout: the new role has 60s, the old one 12s',
      expect.stringMatching(/^valid until: the new role has for ever, the old one 2031-01-01/) as string,
    ],
  });
});

it('an object that is made in the old role’s name at the last moment is not dropped with it', async () => {
  const pair = await twoRoles();
  const { old, fresh, owner } = pair;
  await run(
    app.url,
    `SET ROLE ${id(old)}; CREATE FUNCTION ${id(owner)}.make() RETURNS void LANGUAGE sql SECURITY DEFINER AS
       'CREATE TABLE ${id(owner)}.made (id int); CREATE POLICY mine ON ${id(owner)}.made TO ${id(old)}'`,
  );
  await createLogin(server, { ...pair, verifier, mark: MARK });
  const other = new pg.Client({ connectionString: app.url });
  await other.connect();
  try {
    await other.query(`BEGIN; SELECT ${id(owner)}.make(); INSERT INTO ${id(owner)}.made VALUES (1)`);
    const beforehand = onceBefore('DROP OWNED', () => other.query('COMMIT'));
    await expect(dropLogin(beforehand, { role: old, heir: fresh })).rejects.toMatchObject({
      code: 'role-in-use',
      retryable: true,
      effect: 'none',
    });
  } finally {
    await other.end();
  }
  await dropLogin(server, { role: old, heir: fresh });
  expect(
    await run(
      app.url,
      `SELECT id, tableowner AS owner, policyname AS policy FROM ${id(owner)}.made, pg_tables t JOIN pg_policies USING (tablename) WHERE t.schemaname = '${owner}'`,
    ),
  ).toEqual([{ id: 1, owner: fresh, policy: 'mine' }]);
});

/** A server to which something happens just before the first statement that begins so. */
function onceBefore(statement: string, happens: () => Promise<unknown>): Server {
  const watched = serverOn(app.url);
  const connect = watched.asAdministrator.bind(watched);
  let happened = false;
  watched.asAdministrator = (work, options) =>
    connect((client) => {
      const send = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
      const sendLater = async (...given: unknown[]): Promise<unknown> => {
        if (!happened && String(given[0]).startsWith(statement)) {
          happened = true;
          await happens();
        }
        return send(...given);
      };
      return work(Object.assign(client, { query: sendLater }));
    }, options);
  return watched;
}

it('a foreign server’s password is in no log when somebody else makes the same user mapping at the same time', async () => {
  const { old, fresh, owner } = await twoRoles();
  const password = `far-away-${old}`;
  await run(
    app.url,
    `CREATE ROLE ${id(fresh)}; CREATE FOREIGN DATA WRAPPER ${id(owner)}; CREATE SERVER ${id(owner)} FOREIGN DATA WRAPPER ${id(owner)}`,
  );
  // The tests' server logs every statement it is sent: this one is told apart by what it starts with.
  await run(app.url, `CREATE USER MAPPING FOR ${id(old)} SERVER ${id(owner)} OPTIONS (password '${password}')`);
  const other = new pg.Client({ connectionString: app.url });
  await other.connect();
  try {
    await other.query(`BEGIN; CREATE USER MAPPING FOR ${id(fresh)} SERVER ${id(owner)} OPTIONS (user 'theirs')`);
    const carrying = inTransaction(server, {}, (session) => carryMappings(session, { from: old, to: fresh }));
    // Once it waits on the other transaction: before that only the simpler case would be shown. It waits for half a second at most.
    const waiting = 'SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))';
    await expect.poll(async () => (await other.query(waiting)).rowCount, { interval: 10 }).toBe(1);
    await other.query('COMMIT');
    await carrying;
  } finally {
    await other.end();
  }
  // A way to fail that is none of duplicates: nobody has such a role any more.
  const failing = inTransaction(server, {}, (session) =>
    carryMappings(session, { from: old, to: freshRoleName('mean_nobody') }),
  );
  await expect(failing).rejects.toMatchObject({ code: 'query-failed' });
  // In order: once this is written, so is everything before it.
  await run(app.url, `SELECT 'written up to here, ${old}'`);
  const log = (): Promise<string> => readFile(postgresLog(), 'utf8');
  await expect.poll(log).toContain(`written up to here, ${old}`);
  const lines = (await log()).split('\n').filter((line) => line.includes(password));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter((line) => !/statement: CREATE USER MAPPING FOR/.test(line))).toEqual([]);
  expect(await run(app.url, `SELECT umoptions FROM pg_user_mappings WHERE usename = '${fresh}'`)).toEqual([
    { umoptions: ['user=theirs'] },
  ]);
});

it('an interruption between creating the second log-in of a group and putting it in does not change the group', async () => {
  const first = await twoRoles('group');
  const [group, second] = [first.old, freshRoleName('mean_second')];
  await createLogin(server, { ...first, verifier, mark: MARK });
  const next = { old: first.fresh, fresh: second };
  expect(await actingGroup(server, next)).toBe(group);
  await run(app.url, `CREATE ROLE ${id(second)} LOGIN; COMMENT ON ROLE ${id(second)} IS '${MARK}'`);
  expect(await actingGroup(server, next)).toBe(group);
  const pair: RolePair = { strategy: 'group', ...next, group };
  await createLogin(server, { ...pair, verifier, mark: MARK });
  expect(await compareRights(server, pair)).toEqual(EQUAL);
  await dropLogin(server, { role: first.fresh, heir: group });
  expect(await actingGroup(server, next)).toBe(group);
});
