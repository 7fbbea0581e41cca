/** Both strategies on every PostgreSQL that Keyturn works with, by an administrator who is no superuser as well as by one who is. */
import { beforeAll, describe, expect, test } from 'vitest';
import { assessSwap } from '../../../src/databases/roles/assess-swap.js';
import { carryOver } from '../../../src/databases/roles/carry-over.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin, retireGroupLogin } from '../../../src/databases/roles/drop-login.js';
import { inspectRole } from '../../../src/databases/roles/inspect-role.js';
import type { RolePair } from '../../../src/databases/roles/pair.js';
import type { Server } from '../../../src/databases/server.js';
import { makeHostile, type HostileDatabase } from '../../support/hostile-database.js';
import { MAJORS, startVersion, type TestServer } from '../../support/postgres-versions.js';
import { EQUAL, MARK, run, scramVerifier, serverOn, urlAs } from './support/world.js';
import { sampled } from '../../support/sample.js';

const verifier = scramVerifier('fresh-password');

for (const major of sampled(MAJORS, 1)) {
  describe(`PostgreSQL ${major}`, () => {
    let running: TestServer | string;
    let postgres: TestServer;
    let server: Server;
    let asKeyturn: Server;
    const hostile: HostileDatabase[] = [];

    beforeAll(async () => {
      running = await startVersion(major, { fsync: 'off' });
      if (typeof running === 'string') return;
      postgres = running;
      await postgres.sql(
        'CREATE DATABASE app',
        'CREATE DATABASE other',
        `CREATE ROLE keyturn LOGIN CREATEROLE PASSWORD 'keyturn-password'`,
      );
      for (const name of ['app', 'other'])
        hostile.push(await makeHostile(postgres.urlOf(name), `${name}_hostile`, { adopt: false }));
      server = serverOn(postgres.urlOf('app'));
      asKeyturn = serverOn(urlAs(postgres.urlOf('app'), 'keyturn', 'keyturn-password'));
    });

    const on = (name: string, body: () => Promise<void>): void => {
      test(name, async (context) => {
        if (typeof running === 'string') return context.skip(running);
        await body();
      });
    };
    const trapTables = async (): Promise<void> => {
      for (const application of hostile) await application.trapTables();
    };
    const app = (sql: string): Promise<Record<string, unknown>[]> => run(postgres.urlOf('app'), sql);
    const as = (role: string, password: string, sql: string): Promise<Record<string, unknown>[]> =>
      run(urlAs(postgres.urlOf('app'), role, password), sql);

    on('every kind of grant is carried over by copy, and undone without a trace', async () => {
      await app(
        `CREATE ROLE c_old LOGIN PASSWORD 'c-password'; CREATE ROLE c_third; CREATE ROLE c_group;
         CREATE FOREIGN DATA WRAPPER c_fdw; CREATE SERVER c_server FOREIGN DATA WRAPPER c_fdw;
         GRANT USAGE ON FOREIGN DATA WRAPPER c_fdw TO c_old WITH GRANT OPTION; GRANT USAGE ON FOREIGN SERVER c_server TO c_old;
         CREATE USER MAPPING FOR c_old SERVER c_server OPTIONS (user 'far', password 'it''s far away');
         SELECT lo_create(77); GRANT UPDATE ON LARGE OBJECT 77 TO c_old;
         REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC; GRANT USAGE ON LANGUAGE plpgsql TO c_old;
         GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO c_old;
         GRANT pg_read_all_data, c_group TO c_old; GRANT c_old TO c_third;
         GRANT CREATE ON TABLESPACE pg_default TO c_old; GRANT CONNECT, TEMPORARY ON DATABASE app, other TO c_old;
         CREATE SCHEMA c AUTHORIZATION c_third; CREATE TYPE c.t AS (a int); REVOKE USAGE ON TYPE c.t FROM PUBLIC;
         GRANT USAGE ON TYPE c.t TO c_old; CREATE PROCEDURE c.p(INOUT a int) LANGUAGE sql AS 'SELECT 1';
         REVOKE ALL ON PROCEDURE c.p FROM PUBLIC; GRANT EXECUTE ON PROCEDURE c.p TO c_old;
         CREATE AGGREGATE c.total(int) (SFUNC = int4pl, STYPE = int); GRANT EXECUTE ON FUNCTION c.total TO c_old;
         GRANT USAGE ON SCHEMA c TO c_old WITH GRANT OPTION;
         SET ROLE c_old; GRANT USAGE ON SCHEMA c TO c_group; RESET ROLE;
         ${major >= 15 ? 'GRANT SET ON PARAMETER log_statement TO c_old WITH GRANT OPTION; GRANT ALTER SYSTEM ON PARAMETER my_app.x TO c_old;' : ''}`,
      );
      await run(
        postgres.urlOf('other'),
        'CREATE TABLE public.there (id int); GRANT INSERT (id) ON public.there TO c_old',
      );
      await trapTables();
      const pair: RolePair = { strategy: 'copy', old: 'c_old', fresh: 'c_fresh', group: null };
      const before = await inspectRole(server, 'c_old');
      const words = before?.lines.join('\n') ?? '';
      for (const expected of [
        'foreign data wrapper c_fdw: USAGE',
        'foreign server c_server: USAGE',
        'user mapping for server c_server',
        'large object 77: UPDATE',
        'language plpgsql: USAGE',
        'routine pg_read_file(text): EXECUTE',
        'member of pg_read_all_data: c_old',
        'member of c_old: c_third',
        'tablespace pg_default: CREATE',
        'database other: column public.there.id: INSERT',
        'routine c.total(integer): EXECUTE',
        ...(major >= 15 ? ['parameter log_statement: SET', 'parameter my_app.x: ALTER SYSTEM'] : []),
      ]) {
        expect(words).toContain(expected);
      }
      expect(words).not.toMatch(/far away|SCRAM/);
      expect(await assessSwap(server, pair)).toMatchObject({
        problems: [],
        warnings: [expect.stringContaining('c_third')],
      });
      await createLogin(server, { ...pair, verifier, mark: MARK });
      expect(await compareRights(server, pair)).toEqual(EQUAL);
      await dropLogin(server, { role: 'c_fresh', heir: 'c_old', mark: MARK });
      expect(await inspectRole(server, 'c_old')).toEqual(before);

      await createLogin(server, { ...pair, verifier, mark: MARK });
      await dropLogin(server, { role: 'c_old', heir: 'c_fresh' });
      const after = await inspectRole(server, 'c_fresh');
      const renamed = after?.lines
        .map((line) => line.replaceAll('c_fresh', 'c_old'))
        .filter((line) => !line.startsWith('comment'));
      expect(renamed?.sort()).toEqual(before?.lines.filter((line) => !line.startsWith('comment')));
      expect(await app(`SELECT umoptions FROM pg_user_mappings WHERE usename = 'c_fresh'`)).toEqual([
        { umoptions: ['user=far', "password=it's far away"] },
      ]);
    });

    on(
      'an administrator without superuser swaps a role that owns its database objects, by group and by copy',
      async () => {
        await app(
          `CREATE ROLE n_old LOGIN PASSWORD 'n-password'; CREATE SCHEMA n AUTHORIZATION n_old;
         ${major >= 16 ? 'GRANT n_old TO keyturn WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;' : ''}
         SET ROLE n_old; CREATE TABLE n.notes (id int); INSERT INTO n.notes VALUES (1);
         ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; RESET ROLE`,
        );
        await trapTables();
        const memberships = `SELECT pg_get_userbyid(roleid) r, pg_get_userbyid(member) m FROM pg_auth_members WHERE pg_get_userbyid(roleid) LIKE 'n\\_%' ORDER BY 1, 2`;
        const before = await inspectRole(server, 'n_old');
        const copy: RolePair = { strategy: 'copy', old: 'n_old', fresh: 'n_one', group: null };
        expect((await assessSwap(asKeyturn, copy)).problems).toEqual([
          {
            message: expect.stringContaining('a schema that n_old owns') as string,
            hint: expect.stringContaining('GRANT CREATE ON DATABASE') as string,
          },
        ]);
        await app('GRANT CREATE ON DATABASE app TO keyturn');
        expect((await assessSwap(asKeyturn, copy)).problems).toEqual([]);
        await createLogin(asKeyturn, { ...copy, verifier, mark: MARK });
        expect(await compareRights(asKeyturn, copy)).toEqual(EQUAL);
        await as(
          'n_one',
          'fresh-password',
          'CREATE TABLE n.mine (id int); INSERT INTO n.notes VALUES (2); ALTER TABLE n.notes ADD COLUMN x int',
        );
        expect(await as('n_old', 'n-password', 'SELECT * FROM n.mine')).toEqual([]);
        await as('n_one', 'fresh-password', 'DROP TABLE n.mine; ALTER TABLE n.notes DROP COLUMN x');
        await dropLogin(asKeyturn, { role: 'n_one', heir: 'n_old', mark: MARK });
        expect(await inspectRole(server, 'n_old')).toEqual(before);

        await createLogin(asKeyturn, { ...copy, verifier, mark: MARK });
        await dropLogin(asKeyturn, { role: 'n_old', heir: 'n_one' });
        expect(await as('n_one', 'fresh-password', 'SELECT id FROM n.notes')).toHaveLength(2);

        const first: RolePair = { strategy: 'group', old: 'n_one', fresh: 'n_two', group: null };
        expect((await assessSwap(asKeyturn, first)).problems).toEqual([]);
        await createLogin(asKeyturn, { ...first, verifier, mark: MARK });
        expect(await compareRights(asKeyturn, first)).toEqual(EQUAL);
        await retireGroupLogin(asKeyturn, 'n_one');
        await as('n_two', 'fresh-password', 'CREATE TABLE n.later (id int)');
        const second: RolePair = { strategy: 'group', old: 'n_two', fresh: 'n_three', group: 'n_one' };
        expect((await assessSwap(asKeyturn, second)).problems).toEqual([]);
        await createLogin(asKeyturn, { ...second, verifier, mark: MARK });
        expect(await compareRights(asKeyturn, second)).toEqual(EQUAL);
        await dropLogin(asKeyturn, { role: 'n_two', heir: 'n_one' });
        expect(
          await as(
            'n_three',
            'fresh-password',
            `SELECT current_user AS who, tableowner AS owner FROM pg_tables WHERE tablename = 'later'`,
          ),
        ).toEqual([{ who: 'n_one', owner: 'n_one' }]);
        // Nothing that was borrowed is kept: at most the membership that a creator gets from 16 on.
        const kept = (await app(memberships)).filter(({ m }) => m === 'keyturn');
        expect(kept).toHaveLength(major >= 16 ? 2 : 0);
      },
    );

    on('what an administrator could not carry over is found out before anything is changed', async () => {
      await app(
        `CREATE ROLE a_old LOGIN; CREATE ROLE a_owner; CREATE ROLE a_role; CREATE SCHEMA a AUTHORIZATION a_owner;
         GRANT USAGE ON SCHEMA a TO a_old; GRANT a_role TO a_old; CREATE TABLE a.t (id int); ALTER TABLE a.t OWNER TO a_owner;
         ALTER TABLE a.t ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON a.t TO a_old USING (current_user = 'a_old');
         ALTER ROLE a_old SET log_min_duration_statement TO 5;
         ${major >= 16 ? 'GRANT a_old TO keyturn WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;' : ''}`,
      );
      await trapTables();
      const pair: RolePair = { strategy: 'copy', old: 'a_old', fresh: 'a_fresh', group: null };
      const { problems, warnings } = await assessSwap(asKeyturn, pair);
      expect(problems.map(({ message }) => message)).toEqual([
        expect.stringContaining('the setting log_min_duration_statement'),
        ...(major >= 16 ? [expect.stringContaining('cannot put the new role into a_role') as string] : []),
        expect.stringContaining('cannot act for a_owner in database app'),
      ]);
      expect(warnings).toEqual([
        expect.stringContaining('policy mine on a.t asks who is connected'),
        expect.stringContaining('pg_hba.conf may not be read'),
      ]);
      expect(
        await createLogin(asKeyturn, { ...pair, verifier, mark: MARK }).catch((error: unknown) => error),
      ).toMatchObject({ code: 'query-failed' });
      await dropLogin(asKeyturn, { role: 'a_fresh', heir: 'a_old', mark: MARK });
      expect(await inspectRole(server, 'a_fresh')).toBeNull();
      // With a superuser all of it goes.
      await createLogin(server, { ...pair, verifier, mark: MARK });
      expect(await compareRights(server, pair)).toEqual(EQUAL);
      expect((await carryOver(server, pair)).given).toEqual([]);
    });
  });
}
