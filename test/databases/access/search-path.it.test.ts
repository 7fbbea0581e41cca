/**
 * An administrator's connection finds the server's own functions, operators and types only. The application's role owns `public` here
 * and has put its own in the way of every name that is likely to be used bare.
 */
import { beforeAll, describe, test } from 'vitest';
import { assessAdministrator } from '../../../src/databases/access/assess-administrator.js';
import { listSessions } from '../../../src/databases/access/sessions.js';
import { proveLogin, proveRefused } from '../../../src/databases/access/prove-login.js';
import { watchRejectedLogins } from '../../../src/databases/access/rejected-logins.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { assessSwap } from '../../../src/databases/roles/assess-swap.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin } from '../../../src/databases/roles/drop-login.js';
import type { Login } from '../../../src/databases/server.js';
import { startVersion, MAJORS, type TestServer } from '../../support/postgres-versions.js';
import { inDatabase, newPassword, prepare, serverFor } from './support.js';
import { sampled } from '../../support/sample.js';

/** Called like functions of the server, with the very types of their arguments. */
const FUNCTIONS = [
  ['pg_has_role', 'text, text', 'boolean', 'true'],
  ['pg_has_role', 'oid, text', 'boolean', 'true'],
  ['pg_has_role', 'name, oid, text', 'boolean', 'true'],
  ['current_setting', 'text', 'text', `'on'`],
  ['set_config', 'text, text, boolean', 'text', `''`],
  ['pg_get_userbyid', 'oid', 'name', `'x'`],
  ['has_table_privilege', 'text, text', 'boolean', 'true'],
  ['format', 'text', 'text', `'x'`],
  ['shobj_description', 'oid, name', 'text', 'NULL'],
  ['pg_backend_pid', '', 'int', '1'],
] as const;
const ATTACK = (value: string): string =>
  `LANGUAGE plpgsql AS $$ BEGIN BEGIN EXECUTE 'ALTER ROLE app_v1 SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN ${value}; END $$`;

describe.each(sampled(MAJORS, 1))('PostgreSQL %s', (major) => {
  let postgres: TestServer | null = null;
  let v1: Login;
  let administrator: Login;

  beforeAll(async () => {
    const running = await startVersion(major);
    if (typeof running === 'string') return;
    postgres = running;
    ({ v1, administrator } = await prepare(postgres, { hostile: false }));
    await inDatabase(
      postgres,
      'ALTER SCHEMA public OWNER TO app_v1',
      // What is set for the role, for the database and for both: each would put the application's names before the server's own.
      `ALTER DATABASE app SET search_path = public, pg_catalog`,
      `ALTER ROLE keyturn SET search_path = public, pg_catalog`,
      `ALTER ROLE keyturn IN DATABASE app SET search_path = public, pg_catalog`,
      `SET SESSION AUTHORIZATION app_v1`,
      ...FUNCTIONS.map(
        ([name, types, result, value]) => `CREATE FUNCTION public.${name}(${types}) RETURNS ${result} ${ATTACK(value)}`,
      ),
      `CREATE FUNCTION public.same(name, name) RETURNS boolean ${ATTACK('$1::text OPERATOR(pg_catalog.=) $2::text')}`,
      'CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same)',
      'CREATE VIEW public.pg_roles AS SELECT * FROM pg_catalog.pg_roles',
    );
  });

  test.for(['superuser', 'limited'] as const)(
    'a whole swap by an administrator who is %s runs nothing of the application',
    async (kind, { skip, expect }) => {
      if (!postgres) return skip();
      const server = serverFor(postgres, kind === 'limited' ? { administrator } : {});
      const pair = { strategy: 'copy', old: 'app_v1', fresh: `app_${kind}`, group: null } as const;
      const fresh = { user: pair.fresh, password: newPassword() };
      await assessAdministrator(server, { strategy: 'copy', role: 'app_v1', group: null });
      await assessSwap(server, pair);
      const verifier = scramVerifier(fresh.password, fresh.user);
      await createLogin(server, { ...pair, verifier, mark: 'mark' });
      await proveLogin(server, fresh, { probe: null });
      await compareRights(server, pair);
      await listSessions(server, 'app_v1');
      await watchRejectedLogins(server, 'app_v1', { milliseconds: 0, signal: server.signal });
      await dropLogin(server, { role: fresh.user, heir: 'app_v1', mark: 'mark' });
      await proveRefused(server, fresh, v1);
      expect(await postgres.sql(`SELECT rolname FROM pg_roles WHERE rolsuper`)).toHaveLength(1);
    },
  );
});
