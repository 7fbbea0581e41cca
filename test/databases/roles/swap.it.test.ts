import { beforeAll, describe, expect, it } from 'vitest';
import { carryOver } from '../../../src/databases/roles/carry-over.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin, retireGroupLogin } from '../../../src/databases/roles/drop-login.js';
import { inspectRole } from '../../../src/databases/roles/inspect-role.js';
import type { RolePair } from '../../../src/databases/roles/pair.js';
import { forbidLogin, permitLogin } from '../../../src/databases/roles/toggle-login.js';
import type { Server } from '../../../src/databases/server.js';
import { freshHostileDatabase, type FreshHostileDatabase } from '../../support/hostile-database.js';
import { freshRoleName, useOwnServer } from '../../support/servers.js';
import { EQUAL, id, MARK, run, scramVerifier, serverOn, urlAs } from './support/world.js';

const PASSWORD = 'a-password-of-the-new-role';
const verifier = scramVerifier(PASSWORD);

let app: FreshHostileDatabase;
let other: FreshHostileDatabase;
let server: Server;

useOwnServer();

beforeAll(async () => {
  app = await freshHostileDatabase('roles_app');
  other = await freshHostileDatabase('roles_other');
  server = serverOn(app.url);
});

/** An application's log-in with something of everything. */
async function application(strategy: 'group' | 'copy'): Promise<RolePair & { third: string }> {
  const [old, fresh, third, owner] = ['old', 'fresh', 'third', 'owner'].map((name) => freshRoleName(`swap_${name}`));
  if (!old || !fresh || !third || !owner) throw new Error('no names');
  const s = id(`s_${old}`);
  await run(
    app.url,
    `CREATE ROLE ${id(old)} LOGIN PASSWORD 'old-password' CREATEDB CONNECTION LIMIT 7 VALID UNTIL '2031-01-01';
     CREATE ROLE ${id(third)}; CREATE ROLE ${id(owner)};
     ALTER ROLE ${id(old)} SET search_path TO ${s}, public, "$user";
     ALTER ROLE ${id(old)} SET my_app.tenant TO 'a,b''c';
     ALTER ROLE ${id(old)} IN DATABASE ${id(app.name)} SET statement_timeout TO '12s';
     GRANT ${id(third)} TO ${id(old)} WITH ADMIN OPTION;
     GRANT CREATE ON DATABASE ${id(app.name)} TO ${id(old)};
     CREATE SCHEMA ${s} AUTHORIZATION ${id(owner)};
     GRANT USAGE, CREATE ON SCHEMA ${s} TO ${id(old)}; GRANT USAGE ON SCHEMA ${s} TO ${id(third)};
     SET ROLE ${id(owner)};
     CREATE TABLE ${s}.orders (id serial PRIMARY KEY, total int, note text);
     CREATE FUNCTION ${s}.f(int, VARIADIC text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
     CREATE PROCEDURE ${s}.p(INOUT a int) LANGUAGE sql AS 'SELECT 1';
     CREATE TYPE ${s}."Mood" AS ENUM ('a');
     REVOKE ALL ON FUNCTION ${s}.f FROM PUBLIC; REVOKE ALL ON PROCEDURE ${s}.p FROM PUBLIC; REVOKE ALL ON TYPE ${s}."Mood" FROM PUBLIC;
     GRANT SELECT ON ${s}.orders TO ${id(old)} WITH GRANT OPTION;
     GRANT INSERT (total, note), UPDATE (note) ON ${s}.orders TO ${id(old)};
     GRANT USAGE ON SEQUENCE ${s}.orders_id_seq TO ${id(old)};
     GRANT EXECUTE ON FUNCTION ${s}.f TO ${id(old)}; GRANT EXECUTE ON PROCEDURE ${s}.p TO ${id(old)}; GRANT USAGE ON TYPE ${s}."Mood" TO ${id(old)};
     ALTER DEFAULT PRIVILEGES IN SCHEMA ${s} GRANT SELECT, INSERT ON TABLES TO ${id(old)};
     ALTER TABLE ${s}.orders ENABLE ROW LEVEL SECURITY;
     CREATE POLICY mine ON ${s}.orders TO ${id(old)} USING (total > 0) WITH CHECK (true);
     RESET ROLE;
     SET ROLE ${id(old)};
     GRANT SELECT ON ${s}.orders TO ${id(third)};
     CREATE TABLE ${s}.own (id int); INSERT INTO ${s}.own VALUES (1);
     ALTER DEFAULT PRIVILEGES IN SCHEMA ${s} GRANT SELECT ON TABLES TO ${id(third)};
     ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
     RESET ROLE;`,
  );
  await run(
    other.url,
    `CREATE SCHEMA ${s} AUTHORIZATION ${id(old)}; CREATE TABLE ${s}.there (id int); GRANT SELECT ON ${s}.there TO ${id(old)};
     ALTER TABLE ${s}.there OWNER TO ${id(old)}; SELECT lo_create(0)`,
  );
  for (const { trapTables } of [app, other]) await trapTables();
  return { strategy, old, fresh, group: null, third };
}

describe.each(['group', 'copy'] as const)('a swap by %s', (strategy) => {
  it('gives the new role the same rights, and none is lost when the old one ends', async () => {
    const pair = await application(strategy);
    const s = id(`s_${pair.old}`);
    await createLogin(server, { ...pair, verifier, mark: MARK });
    expect(await compareRights(server, pair)).toEqual(EQUAL);
    const again = await createLogin(server, { ...pair, verifier, mark: MARK });
    expect(again.facts).toMatchObject({ created: false, given: 0 });

    const asNew = urlAs(app.url, pair.fresh, PASSWORD);
    await run(asNew, `INSERT INTO ${s}.orders (total, note) VALUES (3, 'x'); ALTER TABLE ${s}.own ADD COLUMN more int`);
    await run(asNew, `CREATE TABLE ${s}.created (id int); INSERT INTO ${s}.created VALUES (5)`);
    const asOld = urlAs(app.url, pair.old, 'old-password');
    expect(await run(asOld, `SELECT id FROM ${s}.created`)).toEqual([{ id: 5 }]);
    expect(await compareRights(server, pair)).toEqual(EQUAL);

    await forbidLogin(server, pair.old);
    expect(await compareRights(server, pair)).toEqual(EQUAL);
    if (strategy === 'group') await retireGroupLogin(server, pair.old);
    else await dropLogin(server, { role: pair.old, heir: pair.fresh });
    const facts = await inspectRole(server, pair.old);
    if (strategy === 'group') expect(facts?.canLogin).toBe(false);
    else expect(facts).toBeNull();

    await run(
      asNew,
      `SELECT * FROM ${s}.orders; SELECT * FROM ${s}.own; DROP TABLE ${s}.created; CREATE TABLE ${s}.later (id int)`,
    );
    expect(await run(asNew, `SHOW search_path`)).toEqual([{ search_path: `${s.slice(1, -1)}, public, "$user"` }]);
    expect(await run(asNew, `SHOW my_app.tenant`)).toEqual([{ 'my_app.tenant': "a,b'c" }]);
    expect(
      await run(
        app.url,
        `SELECT has_table_privilege('${pair.third}', '${s}.orders', 'SELECT') AS granted, has_table_privilege('${pair.third}', '${s}.later', 'SELECT') AS later`,
      ),
    ).toEqual([{ granted: true, later: true }]);
    expect(await dropLogin(server, { role: freshRoleName('gone'), heir: pair.fresh })).toMatchObject({
      facts: { dropped: true },
    });
  });

  it('can be undone: the world is as before', async () => {
    const pair = await application(strategy);
    const before = await inspectRole(server, pair.old);
    await createLogin(server, { ...pair, verifier, mark: MARK });
    await forbidLogin(server, pair.old);
    await permitLogin(server, pair.old);
    await expect(dropLogin(server, { role: pair.fresh, heir: pair.old, mark: 'another' })).rejects.toMatchObject({
      code: 'role-conflict',
    });
    await dropLogin(server, { role: pair.fresh, heir: pair.old, mark: MARK });
    await dropLogin(server, { role: pair.fresh, heir: pair.old, mark: MARK });
    expect(await inspectRole(server, pair.fresh)).toBeNull();
    expect(await inspectRole(server, pair.old)).toEqual(before);
    expect(before?.lines.length).toBeGreaterThan(20);
  });

  it('carries over what was granted meanwhile', async () => {
    const pair = await application(strategy);
    const s = id(`s_${pair.old}`);
    await createLogin(server, { ...pair, verifier, mark: MARK });
    await run(app.url, `CREATE TABLE ${s}.meanwhile (id int); GRANT SELECT ON ${s}.meanwhile TO ${id(pair.old)}`);
    const { missing } = await compareRights(server, pair);
    const { given } = await carryOver(server, pair);
    if (strategy === 'copy') {
      expect(missing).toEqual([
        `database ${app.name}: table s_${pair.old}.meanwhile: SELECT: the old role has it, the new one not`,
      ]);
      expect(given).toHaveLength(1);
    }
    expect(await compareRights(server, pair)).toEqual(EQUAL);
  });
});
