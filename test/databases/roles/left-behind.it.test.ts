/** What a drop under strategy copy would orphan in silence: prepared transactions, the administrator's own membership, a schema's name. */
import pg from 'pg';
import { beforeAll, describe, test } from 'vitest';
import { listSessions, terminateSessions } from '../../../src/databases/access/sessions.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { assessSwap } from '../../../src/databases/roles/assess-swap.js';
import { compareRights } from '../../../src/databases/roles/compare-rights.js';
import { createLogin } from '../../../src/databases/roles/create-login.js';
import { dropLogin } from '../../../src/databases/roles/drop-login.js';
import { demandSameSchemas, spellOutSearchPath } from '../../../src/databases/roles/search-path.js';
import { forbidLogin } from '../../../src/databases/roles/toggle-login.js';
import type { Login } from '../../../src/databases/server.js';
import { describeSessions } from '../../../src/domain/adoption.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';
import { connectAs, failureOf, inDatabase, newPassword, prepare, serverFor } from '../access/support.js';
import { sampled } from '../../support/sample.js';

const PAIR = { strategy: 'copy', old: 'app_v1', fresh: 'app_v2', group: null } as const;
const MARK = 'mark';
const verifier = scramVerifier(newPassword(), 'x');

describe.each(sampled([14, 16, 18] as const, 1))('PostgreSQL %s', (major) => {
  let postgres: TestServer | null = null;
  let administrator: Login;
  let v1: Login;

  beforeAll(async () => {
    const running = await startVersion(major, { max_prepared_transactions: '5' });
    if (typeof running === 'string') return;
    postgres = running;
    ({ administrator, v1 } = await prepare(postgres));
  });

  test('a prepared transaction of the old role counts as somebody on it, and no drop orphans it', async ({
    skip,
    expect,
  }) => {
    if (!postgres) return skip();
    const server = serverFor(postgres, { administrator });
    const application = await connectAs(postgres, v1, 'shop');
    await application.client.query(`BEGIN; INSERT INTO notes (text) VALUES ('paid'); PREPARE TRANSACTION 'order-7'`);
    await application.close();
    await createLogin(server, { ...PAIR, verifier, mark: MARK });
    expect(describeSessions(await listSessions(server, 'app_v1'))).toEqual([
      expect.stringMatching(/^prepared transaction order-7 in database app on primary \(since 20/),
    ]);
    await forbidLogin(server, 'app_v1');
    const refused = {
      code: 'prepared-transactions',
      retryable: true,
      message: expect.stringContaining('order-7') as string,
      hint: expect.stringContaining('COMMIT PREPARED') as string,
    };
    expect(await failureOf(terminateSessions(server, 'app_v1'))).toMatchObject(refused);
    expect(await failureOf(dropLogin(server, { role: 'app_v1', heir: 'app_v2' }))).toMatchObject(refused);
    // A change of password orphans nothing.
    await terminateSessions(server, 'app_v1', { startedBefore: new Date().toISOString() });
    await inDatabase(postgres, `COMMIT PREPARED 'order-7'`);
    await terminateSessions(server, 'app_v1');
    await dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: MARK });
    await postgres.sql('ALTER ROLE app_v1 LOGIN');
    expect(await inDatabase(postgres, 'SELECT text FROM notes')).toEqual([{ text: 'paid' }]);
  });

  const memberships = (of: string) =>
    postgres!.sql(
      `SELECT r.rolname AS role${major >= 16 ? ', inherit_option AS inherit, set_option AS set, admin_option AS admin' : ''}
         FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
        WHERE m.member = '${of}'::regrole AND r.rolname LIKE 'app_v%' ${major >= 16 ? 'AND (inherit_option OR set_option)' : ''} ORDER BY 1`,
    );

  test('what the administrator itself is in, it is in after the swap, and nothing that it borrowed', async ({
    skip,
    expect,
  }) => {
    if (!postgres) return skip();
    const server = serverFor(postgres, { administrator });
    const before = await memberships('keyturn');
    const [had] = before;
    expect(had).toBeDefined();
    const { warnings } = await assessSwap(server, PAIR);
    if (major >= 16) expect(warnings).toContain('keyturn is itself in app_v1, and will be in app_v2 too');
    await createLogin(server, { ...PAIR, verifier, mark: MARK });
    await dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: MARK });
    expect(await memberships('keyturn')).toEqual(before);
    await createLogin(server, { ...PAIR, verifier, mark: MARK });
    await dropLogin(server, { role: 'app_v1', heir: 'app_v2' });
    expect(await memberships('keyturn')).toEqual([
      { ...had, role: 'app_v2', ...(major >= 16 ? { admin: false } : {}) },
    ]);
    await postgres.sql('ALTER ROLE app_v2 RENAME TO app_v1');
  });

  test('what the administrator has granted itself in part, it has again after borrowing the rest', async ({
    skip,
    expect,
  }) => {
    if (!postgres || major < 16) return skip();
    await postgres.sql(
      'REVOKE app_v1 FROM keyturn CASCADE',
      'GRANT app_v1 TO keyturn WITH ADMIN TRUE, INHERIT FALSE, SET FALSE',
      'SET SESSION AUTHORIZATION keyturn',
      'GRANT app_v1 TO keyturn WITH INHERIT TRUE, SET FALSE',
    );
    const before = await memberships('keyturn');
    const server = serverFor(postgres, { administrator });
    await createLogin(server, { ...PAIR, verifier, mark: MARK });
    await dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: MARK });
    expect(await memberships('keyturn')).toEqual(before);
  });

  test('tables in a schema of the old role’s name are found by the new one, also after the drop', async ({
    skip,
    expect,
  }) => {
    if (!postgres) return skip();
    // Another role of that name by now, with a password of its own.
    await postgres.sql(`ALTER ROLE app_v1 PASSWORD '${scramVerifier(v1.password, 'v1')}'`);
    await inDatabase(
      postgres,
      'CREATE SCHEMA AUTHORIZATION app_v1',
      'CREATE TABLE app_v1.orders AS SELECT 7 AS id',
      'ALTER TABLE app_v1.orders OWNER TO app_v1',
      'GRANT CREATE ON DATABASE app TO keyturn',
    );
    const server = serverFor(postgres, { administrator });
    const fresh = { user: 'app_v2', password: newPassword() };
    await createLogin(server, { ...PAIR, verifier: scramVerifier(fresh.password, 'x'), mark: MARK });
    expect(await failureOf(demandSameSchemas(server, v1, fresh))).toMatchObject({
      code: 'rights-differ',
      message: expect.stringContaining('app_v1 in app_v1, public, app_v2 in public') as string,
    });
    const given = ['setting search_path in database app: app_v1, public'];
    expect(await spellOutSearchPath(server, PAIR, fresh)).toEqual(given);
    expect(await spellOutSearchPath(server, PAIR, fresh)).toEqual([]);
    await demandSameSchemas(server, v1, fresh);
    expect(await compareRights(server, PAIR)).toEqual({ missing: [], extra: [] });
    await forbidLogin(server, 'app_v1');
    await demandSameSchemas(server, v1, fresh);
    await dropLogin(server, { role: 'app_v1', heir: 'app_v2' });
    const application = await connectAs(postgres, fresh, 'shop');
    expect((await application.client.query('SELECT id FROM orders')).rows).toEqual([{ id: 7 }]);
    await application.close();
  });

  test('an undo does not wait for who is at work on a table whose policy names both roles', async ({
    skip,
    expect,
  }) => {
    if (!postgres) return skip();
    const before = await postgres.sql(`SELECT rolname FROM pg_roles WHERE rolname = 'app_v1'`);
    if (before.length === 0) await postgres.sql('ALTER ROLE app_v2 RENAME TO app_v1');
    await inDatabase(postgres, 'CREATE POLICY p ON notes TO app_v1 USING (true)');
    const server = serverFor(postgres);
    await createLogin(server, { ...PAIR, verifier, mark: MARK });
    const busy = new pg.Client({ connectionString: postgres.urlOf('app') });
    await busy.connect();
    await busy.query('BEGIN; LOCK TABLE notes IN ROW EXCLUSIVE MODE');
    await dropLogin(server, { role: 'app_v2', heir: 'app_v1', mark: MARK });
    await busy.end();
    expect(await inDatabase(postgres, `SELECT roles FROM pg_policies WHERE policyname = 'p'`)).toEqual([
      { roles: '{app_v1}' },
    ]);
  });
});
