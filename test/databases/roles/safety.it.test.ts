/** What must not happen: a table dropped, somebody else's role taken, an application held up, a right lost in silence. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { assessSwap, recommendStrategy } from '../../../src/databases/roles/assess-swap.js';
import { carryOver } from '../../../src/databases/roles/carry-over.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin } from '../../../src/databases/roles/drop-login.js';
import { inspectRole } from '../../../src/databases/roles/inspect-role.js';
import type { RolePair } from '../../../src/databases/roles/pair.js';
import { forbidLogin } from '../../../src/databases/roles/toggle-login.js';
import type { Server } from '../../../src/databases/server.js';
import { freshHostileDatabase, type FreshHostileDatabase } from '../../support/hostile-database.js';
import { freshDatabase, freshRoleName, useOwnServer } from '../../support/servers.js';
import { EQUAL, id, MARK, run, scramVerifier, serverOn } from './support/world.js';

const verifier = scramVerifier('fresh-password');
let app: FreshHostileDatabase;
let server: Server;

useOwnServer();

beforeAll(async () => {
  app = await freshHostileDatabase('safety');
  server = serverOn(app.url);
});

/** A log-in `old` that owns the table of its name, and the name of its successor. */
async function owner(strategy: RolePair['strategy'], group: string | null = null): Promise<RolePair> {
  const [old, fresh] = [freshRoleName('safe_old'), freshRoleName('safe_fresh')];
  await run(
    app.url,
    `CREATE ROLE ${id(old)} LOGIN; CREATE SCHEMA ${id(old)} AUTHORIZATION ${id(old)};
     CREATE TABLE ${id(old)}.t (id int); INSERT INTO ${id(old)}.t VALUES (1); ALTER TABLE ${id(old)}.t OWNER TO ${id(old)}`,
  );
  await app.trapTables();
  return { strategy, old, fresh, group };
}

describe('creating', () => {
  it('leaves a role alone that is not of this rotation, whatever it looks like', async () => {
    const pair = await owner('copy');
    await run(
      app.url,
      `CREATE ROLE ${id(pair.fresh)} LOGIN PASSWORD 'theirs'; COMMENT ON ROLE ${id(pair.fresh)} IS 'keyturn rotation other'`,
    );
    const before = await inspectRole(server, pair.fresh);
    await expect(createLogin(server, { ...pair, verifier, mark: MARK })).rejects.toMatchObject({
      code: 'role-conflict',
      effect: 'none',
    });
    expect(await inspectRole(server, pair.fresh)).toEqual(before);
    expect((await assessSwap(server, { ...pair, mark: MARK })).problems).toEqual([
      expect.objectContaining({ message: `the role ${pair.fresh} exists and is not of this rotation` }),
    ]);
  });

  it('goes on where an attempt stopped', async () => {
    const pair = await owner('copy');
    await run(app.url, `CREATE ROLE ${id(pair.fresh)} LOGIN; COMMENT ON ROLE ${id(pair.fresh)} IS '${MARK}'`);
    await createLogin(server, { ...pair, verifier, mark: MARK });
    expect(await compareRights(server, pair)).toEqual(EQUAL);
  });

  it('refuses a password that is not a verifier', async () => {
    const pair = await owner('copy');
    const attempt = createLogin(server, { ...pair, verifier: 'plain-text-password', mark: MARK });
    await expect(attempt).rejects.toMatchObject({
      code: 'bad-verifier',
      message: expect.not.stringContaining('plain') as string,
    });
    expect(await inspectRole(server, pair.fresh)).toBeNull();
  });
});

describe('dropping', () => {
  it('waits for a table in use without anybody waiting for it, says who uses it, and can be tried again', async () => {
    const pair = await owner('copy');
    const t = (name: string): string => `${id(pair.old)}.${name}`;
    await run(
      app.url,
      `CREATE TABLE ${t('a_free')} (id int); ALTER TABLE ${t('a_free')} OWNER TO ${id(pair.old)};
       CREATE TABLE ${t('z_free')} (id int); ALTER TABLE ${t('z_free')} OWNER TO ${id(pair.old)};
       CREATE POLICY p ON ${t('t')} TO ${id(pair.old)} USING (true); ALTER TABLE ${t('t')} ENABLE ROW LEVEL SECURITY`,
    );
    await createLogin(server, { ...pair, verifier, mark: MARK });
    const [busy, application] = [
      new pg.Client({ connectionString: app.url, application_name: 'report' }),
      new pg.Client({ connectionString: app.url }),
    ];
    await Promise.all([busy.connect(), application.connect()]);
    try {
      await busy.query(`BEGIN; LOCK TABLE ${t('t')} IN ACCESS SHARE MODE`);
      const waits: number[] = [];
      const dropping = dropLogin(server, { role: pair.old, heir: pair.fresh }).then(
        () => null,
        (error: unknown) => error,
      );
      for (let over = false; !over;) {
        const started = performance.now();
        await application.query(`SELECT FROM ${t('a_free')}, ${t('t')}, ${t('z_free')}`);
        waits.push(performance.now() - started);
        over = await Promise.race([dropping.then(() => true), sleep(20).then(() => false)]);
      }
      expect(await dropping).toMatchObject({
        code: 'table-in-use',
        retryable: true,
        message: expect.stringMatching(/\.t, by report \(process \d+, postgres\)/) as string,
      });
      // On a table that nobody else uses 200 ms at the most; the rest is for a busy machine.
      expect(Math.max(...waits)).toBeLessThan(1_500);
      // The others did not wait for it.
      expect(
        await run(
          app.url,
          `SELECT tableowner AS owner FROM pg_tables WHERE schemaname = '${pair.old}' ORDER BY tablename`,
        ),
      ).toEqual([{ owner: pair.fresh }, { owner: pair.old }, { owner: pair.fresh }]);
      await busy.query('ROLLBACK');
    } finally {
      await Promise.all([busy.end(), application.end()]);
    }
    await dropLogin(server, { role: pair.old, heir: pair.fresh });
    expect(
      await run(app.url, `SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = '${pair.old}'`),
    ).toEqual([{ owner: pair.fresh }]);
    expect(await run(app.url, `SELECT roles FROM pg_policies WHERE schemaname = '${pair.old}'`)).toEqual([
      { roles: `{${pair.fresh}}` },
    ]);
  });

  it('keeps every row and every object of the role, in every database', async () => {
    const pair = await owner('copy');
    const other = await freshDatabase('safety_other');
    await run(
      other.url,
      `CREATE TABLE public.far (id int); INSERT INTO public.far VALUES (7); ALTER TABLE public.far OWNER TO ${id(pair.old)};
      CREATE MATERIALIZED VIEW public.seen AS SELECT 1 AS one; ALTER MATERIALIZED VIEW public.seen OWNER TO ${id(pair.old)};
      CREATE POLICY only_mine ON public.far TO ${id(pair.old)} USING (id = 7); SELECT lo_create(9); ALTER LARGE OBJECT 9 OWNER TO ${id(pair.old)}`,
    );
    await createLogin(server, { ...pair, verifier, mark: MARK });
    const evidence = await dropLogin(server, { role: pair.old, heir: pair.fresh });
    expect(evidence.facts).toMatchObject({ databases: 2, dropped: true });
    expect(await run(other.url, 'SELECT far.id, seen.one, polname FROM public.far, public.seen, pg_policy')).toEqual([
      { id: 7, one: 1, polname: 'only_mine' },
    ]);
    expect(await run(other.url, 'SELECT pg_get_userbyid(lomowner) AS owner FROM pg_largeobject_metadata')).toEqual([
      { owner: pair.fresh },
    ]);
    expect((await dropLogin(server, { role: pair.old, heir: pair.fresh })).summary).toBe(
      `role ${pair.old} is gone already`,
    );
  });

  it('takes along what the old role was given after the last look', async () => {
    const pair = await owner('copy');
    const third = freshRoleName('safe_third');
    await createLogin(server, { ...pair, verifier, mark: MARK });
    await run(
      app.url,
      `CREATE ROLE ${id(third)}; CREATE SCHEMA ${id(third)} AUTHORIZATION ${id(third)}; SET ROLE ${id(third)};
      CREATE TABLE ${id(third)}.late (id int); GRANT USAGE ON SCHEMA ${id(third)} TO ${id(pair.old)};
      GRANT SELECT ON ${id(third)}.late TO ${id(pair.old)} WITH GRANT OPTION`,
    );
    expect((await compareRights(server, pair)).missing).toContain(
      `database ${app.name}: table ${third}.late: SELECT with grant option: the old role has it, the new one not`,
    );
    await dropLogin(server, { role: pair.old, heir: pair.fresh });
    expect(
      await run(
        app.url,
        `SELECT has_table_privilege('${pair.fresh}', '${third}.late', 'SELECT WITH GRANT OPTION') AS has`,
      ),
    ).toEqual([{ has: true }]);
  });

  it('stops before a database that takes no connections', async () => {
    const pair = await owner('copy');
    const closed = await freshDatabase('safety_closed');
    await run(closed.url, `CREATE TABLE public.t (id int); ALTER TABLE public.t OWNER TO ${id(pair.old)}`);
    await run(app.url, `ALTER DATABASE ${id(closed.name)} ALLOW_CONNECTIONS false`);
    expect((await assessSwap(server, pair)).problems).toEqual([
      expect.objectContaining({ message: expect.stringContaining(closed.name) as string }),
    ]);
    await expect(dropLogin(server, { role: pair.old, heir: 'postgres' })).rejects.toMatchObject({
      code: 'database-closed',
      effect: 'none',
    });
    expect((await inspectRole(server, pair.old))?.closedDatabases).toEqual([closed.name]);
  });

  it('never takes a superuser', async () => {
    await expect(dropLogin(server, { role: 'postgres', heir: 'postgres' })).rejects.toMatchObject({
      code: 'bootstrap-role',
    });
    await expect(forbidLogin(server, freshRoleName('nobody'))).rejects.toMatchObject({ code: 'unknown-role' });
  });
});

describe('assessing', () => {
  it('explains what a superuser needs instead', async () => {
    const pair: RolePair = { strategy: 'group', old: 'postgres', fresh: freshRoleName('safe_fresh'), group: null };
    const { problems } = await assessSwap(server, pair);
    expect(problems).toEqual([
      {
        message: expect.stringContaining('first superuser') as string,
        hint: expect.stringContaining('same-role') as string,
      },
    ]);
    expect((await recommendStrategy(server, 'postgres', null)).strategy).toBe('same-role');
  });

  it('lists what a group lacks, and suggests copy', async () => {
    const group = freshRoleName('safe_group');
    const pair = await owner('group', group);
    expect((await recommendStrategy(server, pair.old, group)).strategy).toBe('copy');
    await run(app.url, `CREATE ROLE ${id(group)} LOGIN`);
    expect((await assessSwap(server, pair)).problems.map(({ message }) => message)).toContain(
      `the group ${group} may itself log in`,
    );
    await run(app.url, `ALTER ROLE ${id(group)} NOLOGIN; GRANT ${id(group)} TO ${id(pair.old)}`);
    expect((await assessSwap(server, pair)).problems.map(({ hint }) => hint).join()).toContain('REASSIGN OWNED BY');
    await run(
      app.url,
      `REASSIGN OWNED BY ${id(pair.old)} TO ${id(group)}; CREATE TABLE public.beside (id int); GRANT DELETE ON public.beside TO ${id(pair.old)}`,
    );
    const [problem] = (await assessSwap(server, pair)).problems;
    expect(problem?.message).toBe(
      `the group ${group} lacks what ${pair.old} has: database ${app.name}: table public.beside: DELETE`,
    );
    expect((await recommendStrategy(server, pair.old, group)).strategy).toBe('copy');
    await run(app.url, `GRANT DELETE ON public.beside TO ${id(group)}`);
    expect(await assessSwap(server, pair)).toEqual({ problems: [], warnings: [] });
    expect((await recommendStrategy(server, pair.old, group)).strategy).toBe('group');

    await createLogin(server, { ...pair, verifier, mark: MARK });
    expect(await compareRights(server, pair)).toEqual(EQUAL);
    // Made by the old log-in in its own name, and granted to it, during the overlap.
    await run(
      app.url,
      `GRANT CREATE ON SCHEMA public TO ${id(group)}; SET ROLE ${id(pair.old)}; CREATE TABLE public.made_by_old (id int); RESET ROLE; GRANT UPDATE ON public.beside TO ${id(pair.old)}`,
    );
    await carryOver(server, pair);
    expect(await compareRights(server, pair)).toEqual(EQUAL);
    await dropLogin(server, { role: pair.old, heir: group });
    expect(
      await run(
        app.url,
        `SELECT tableowner AS owner, has_table_privilege('${group}', 'public.beside', 'UPDATE') AS may FROM pg_tables WHERE tablename = 'made_by_old'`,
      ),
    ).toEqual([{ owner: group, may: true }]);
  });

  it('compares thousands of objects in seconds', async () => {
    const pair = await owner('copy');
    await run(
      app.url,
      `DO $$ BEGIN FOR n IN 1..3000 LOOP
      EXECUTE format('CREATE TABLE %I.%I (a int, b int)', '${pair.old}', 'many_' || n); EXECUTE format('GRANT SELECT, UPDATE (b) ON %I.%I TO %I', '${pair.old}', 'many_' || n, '${pair.old}');
      END LOOP; END $$`,
    );
    await createLogin(server, { ...pair, verifier, mark: MARK });
    const started = performance.now();
    expect(await compareRights(server, pair)).toEqual(EQUAL);
    const took = performance.now() - started;
    console.log(`3000 tables compared in ${Math.round(took)} ms`);
    expect(took).toBeLessThan(20_000);
  });
});
