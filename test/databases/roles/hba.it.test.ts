/** pg_hba.conf as the successor of a role meets it, and event triggers as the administrator does. */
import { beforeAll, describe, test } from 'vitest';
import { proveLogin } from '../../../src/databases/access/prove-login.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { assessSwap } from '../../../src/databases/roles/assess-swap.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin } from '../../../src/databases/roles/drop-login.js';
import type { Login } from '../../../src/databases/server.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { failureOf, inDatabase, newPassword, prepare, serverFor } from '../access/support.js';
import { sampled } from '../../support/sample.js';

const COPY = { strategy: 'copy', old: 'app_v1', fresh: 'app_v2', group: null } as const;
const GROUP = { ...COPY, strategy: 'group' } as const;
const OTHERS = ['host all postgres 127.0.0.1/32 scram-sha-256', 'host all keyturn 127.0.0.1/32 scram-sha-256'];
const LOCAL = '127.0.0.1/32 scram-sha-256';

describe.each(sampled([14, 18] as const, 1))('PostgreSQL %s', (major) => {
  let postgres: TestServer | null = null;
  let administrator: Login;

  beforeAll(async () => {
    const running = await startVersion(major);
    if (typeof running === 'string') return;
    postgres = running;
    ({ administrator } = await prepare(postgres));
    await postgres.sql(
      'CREATE ROLE clients NOLOGIN',
      'GRANT clients TO app_v1',
      'GRANT clients TO keyturn WITH ADMIN OPTION',
    );
  });

  const hbaProblems = async (pair: typeof COPY | typeof GROUP, ...lines: string[]): Promise<string[]> => {
    await postgres!.authenticate([...OTHERS, ...lines]);
    const { problems } = await assessSwap(serverFor(postgres!), pair);
    return problems.map(({ message }) => message).filter((message) => message.includes('pg_hba.conf'));
  };

  test('a line that asks for membership in the old role is a problem under copy, and only there', async ({
    skip,
    expect,
  }) => {
    if (!postgres) return skip();
    const lockedOut = [expect.stringMatching(/^line 3 .* as a member of app_v1 only: with the drop/)];
    expect(await hbaProblems(COPY, `host all +app_v1 ${LOCAL}`)).toEqual(lockedOut);
    expect(await hbaProblems(COPY, `host app,other postgres,+app_v1 ${LOCAL}`)).toEqual(lockedOut);
    expect(await hbaProblems(COPY, `host all +app_v1 10.0.0.0/8 md5`, `host all all ${LOCAL}`)).toEqual(lockedOut);
    // Whoever decides there once the membership is gone lets it in as well.
    expect(await hbaProblems(COPY, `host all +app_v1 ${LOCAL}`, `host all +clients all scram-sha-256`)).toEqual([]);
    expect(await hbaProblems(COPY, `host all +clients ${LOCAL}`, `host all +app_v1 ${LOCAL}`)).toEqual([]);
    expect(await hbaProblems(GROUP, `host all +app_v1 ${LOCAL}`)).toEqual([]);
    expect(await hbaProblems(COPY, `host other +app_v1 ${LOCAL}`, `host all all ${LOCAL}`)).toEqual([]);
  });

  test('so is a database that takes the members of the role of its name', async ({ skip, expect }) => {
    if (!postgres) return skip();
    await postgres.sql('CREATE DATABASE app_v1 OWNER app_v1');
    await postgres.authenticate([...OTHERS, `host samerole all ${LOCAL}`]);
    const { problems } = await assessSwap(serverFor(postgres, { database: 'app_v1' }), COPY);
    await postgres.sql('DROP DATABASE app_v1');
    expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(/^line 3 of pg_hba.conf would let/)]);
  });

  test('a line for the old role by its name, or a pattern that only it fits, is a problem', async ({
    skip,
    expect,
  }) => {
    if (!postgres) return skip();
    const refused = [expect.stringMatching(/^line 3 of pg_hba.conf lets app_v1 in, and no line the new role/)];
    expect(await hbaProblems(COPY, `host all app_v1 ${LOCAL}`)).toEqual(refused);
    expect(await hbaProblems(GROUP, `host all app_v1 ${LOCAL}`)).toEqual(refused);
    expect(await hbaProblems(COPY, `host all app_v1 ${LOCAL}`, `host all all ${LOCAL}`)).toEqual([]);
    if (major < 16) return;
    expect(await hbaProblems(COPY, `host all /^app_v1$ ${LOCAL}`)).toEqual(refused);
    expect(await hbaProblems(COPY, `host all /^app_ ${LOCAL}`)).toEqual([]);
  });

  test('where it cannot be read, that is said', async ({ skip, expect }) => {
    if (!postgres) return skip();
    await postgres.authenticate([...OTHERS, `host all +app_v1 ${LOCAL}`]);
    const { warnings } = await assessSwap(serverFor(postgres, { administrator }), COPY);
    expect(warnings).toContainEqual(
      expect.stringMatching(/^pg_hba.conf may not be read.*GRANT SELECT ON pg_hba_file_rules/),
    );
    await inDatabase(
      postgres,
      'GRANT SELECT ON pg_hba_file_rules TO keyturn',
      'GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO keyturn',
    );
    const { problems } = await assessSwap(serverFor(postgres, { administrator }), COPY);
    expect(problems).toHaveLength(1);
  });

  test('what the hint says keeps the application in', async ({ skip, expect }) => {
    if (!postgres) return skip();
    expect(await hbaProblems(COPY, `host all +clients ${LOCAL}`)).toEqual([]);
    const server = serverFor(postgres);
    const fresh = { user: 'app_v2', password: newPassword() };
    await createLogin(server, { ...COPY, verifier: scramVerifier(fresh.password, 'x'), mark: 'mark' });
    await dropLogin(server, { role: 'app_v1', heir: 'app_v2' });
    expect((await proveLogin(server, fresh, { probe: null })).summary).toContain('app_v2 logs in');
    await postgres.sql('ALTER ROLE app_v2 RENAME TO app_v1');
  });

  test('an event trigger whose function somebody else may change is not set off', async ({ skip, expect }) => {
    if (!postgres) return skip();
    await postgres.authenticate([...OTHERS, `host all all ${LOCAL}`]);
    await inDatabase(
      postgres,
      `CREATE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
         BEGIN EXECUTE 'ALTER ROLE app_v1 SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END; END $$`,
      'ALTER FUNCTION public.audit() OWNER TO app_v1',
      'CREATE EVENT TRIGGER audit ON ddl_command_start EXECUTE FUNCTION public.audit()',
    );
    const server = serverFor(postgres);
    const { problems } = await assessSwap(server, COPY);
    expect(problems).toEqual([
      {
        message: expect.stringMatching(
          /the event trigger audit would run public.audit\(\), which is app_v1's/,
        ) as string,
        hint: expect.stringContaining('ALTER FUNCTION public.audit() OWNER TO') as string,
      },
    ]);
    const verifier = scramVerifier(newPassword(), 'x');
    expect(await failureOf(createLogin(server, { ...COPY, verifier, mark: 'mark' }))).toMatchObject({
      code: 'event-trigger',
    });
    expect(await failureOf(dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: 'mark' }))).toMatchObject({
      code: 'event-trigger',
    });
    expect(await postgres.sql(`SELECT FROM pg_roles WHERE rolsuper`)).toHaveLength(1);
  });
});
