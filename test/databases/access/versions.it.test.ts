/** Every function of databases/access against every PostgreSQL that Keyturn works with, as an administrator who may just enough. */
import { beforeAll, describe, expect, test } from 'vitest';
import { assessAdministrator } from '../../../src/databases/access/assess-administrator.js';
import { setPassword } from '../../../src/databases/access/password.js';
import { proveLogin, proveRefused, wrongPasswordIsRefused } from '../../../src/databases/access/prove-login.js';
import { watchRejectedLogins, type WatchProgress } from '../../../src/databases/access/rejected-logins.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { listSessions, serverTime, terminateSessions } from '../../../src/databases/access/sessions.js';
import type { Login, Server } from '../../../src/databases/server.js';
import { MAJORS, startVersion, type TestServer } from '../../support/postgres-versions.js';
import { connectAs, failureOf, inDatabase, newPassword, OWNER, prepare, serverFor } from './support.js';
import { sampled } from '../../support/sample.js';
import { stays } from '../../support/meanwhile.js';

const LOGGING = { logging_collector: 'on', log_directory: 'log', log_filename: 'postgresql-%H.log' };

for (const major of sampled(MAJORS, 1)) {
  describe(`PostgreSQL ${major}`, () => {
    let running: TestServer | string;
    let postgres: TestServer;
    let server: Server;
    let administrator: Login;
    let v1: Login;

    beforeAll(async () => {
      running = await startVersion(major, {
        ...LOGGING,
        log_destination: major >= 15 ? 'jsonlog' : 'csvlog',
        log_line_prefix: '%m [%p] %h ',
      });
      if (typeof running === 'string') return;
      postgres = running;
      ({ administrator, v1 } = await prepare(postgres));
      server = serverFor(postgres, { administrator });
    });

    const on = (name: string, body: () => Promise<void>): void => {
      test(name, async (context) => {
        if (typeof running === 'string') return context.skip(running);
        await body();
      });
    };

    on('an administrator with just enough rights is found fit, and one with fewer or more is not', async () => {
      const needs = { strategy: 'copy', role: 'app_v1', group: null } as const;
      expect(await assessAdministrator(server, needs)).toEqual({ problems: [], warnings: [] });
      const group = await assessAdministrator(server, { strategy: 'group', role: 'app_v1', group: OWNER });
      expect(group.problems).toEqual([]);
      const superuser = await assessAdministrator(serverFor(postgres), needs);
      expect(superuser.problems).toEqual([]);
      expect(superuser.warnings).toEqual([expect.stringContaining('postgres is a superuser')]);
      const poor = { user: 'poor', password: newPassword() };
      await postgres.sql(`CREATE ROLE poor LOGIN PASSWORD '${scramVerifier(poor.password, 'poor')}'`);
      const { problems } = await assessAdministrator(serverFor(postgres, { administrator: poor }), {
        ...{ strategy: 'group', role: 'app_v1', group: 'no_such_group' },
      });
      expect(problems.map(({ hint }) => hint)).toEqual([
        'GRANT pg_signal_backend TO poor',
        'GRANT pg_read_all_stats TO poor',
        'ALTER ROLE poor CREATEROLE',
        ...(major >= 16 ? ['GRANT app_v1 TO poor WITH ADMIN OPTION'] : []),
        'CREATE ROLE no_such_group NOLOGIN, and give it the rights',
      ]);
    });

    on('a role above the administrator is found out', async () => {
      await postgres.sql('CREATE ROLE high SUPERUSER', 'CREATE ROLE repl REPLICATION BYPASSRLS');
      await postgres.sql('GRANT high, repl TO keyturn WITH ADMIN OPTION');
      const problemsOf = async (role: string, strategy: 'copy' | 'same-role'): Promise<string[]> =>
        (await assessAdministrator(server, { strategy, role, group: null })).problems.map(({ message }) => message);
      expect(await problemsOf('high', 'same-role')).toEqual([expect.stringContaining('high is a superuser')]);
      expect(await problemsOf('repl', 'copy')).toEqual([
        expect.stringContaining('REPLICATION'),
        expect.stringContaining('BYPASSRLS'),
      ]);
      expect(await problemsOf('repl', 'same-role')).toHaveLength(major >= 16 ? 0 : 1);
      // What the assessment says is what the server does.
      const attempt = setPassword(server, 'repl', scramVerifier(newPassword(), 'repl'));
      if (major >= 16) await attempt;
      else expect(await failureOf(attempt)).toMatchObject({ code: 'query-failed', effect: 'none' });
      expect(await failureOf(setPassword(server, 'high', scramVerifier(newPassword(), 'high')))).toMatchObject({
        message: expect.stringContaining('42501') as string,
      });
    });

    on('a password is set as a verifier, with the same bytes on every retry, and the server takes it', async () => {
      const login = { user: 'app_v1', password: newPassword() };
      const stored = async (): Promise<unknown> =>
        (await postgres.sql(`SELECT rolpassword FROM pg_authid WHERE rolname = 'app_v1'`))[0]?.['rolpassword'];
      await setPassword(server, 'app_v1', scramVerifier(login.password, 'app_v1 run-1'));
      const first = await stored();
      await setPassword(server, 'app_v1', scramVerifier(login.password, 'app_v1 run-1'));
      expect(await stored()).toBe(first);
      expect(await failureOf(proveLogin(server, v1, { probe: null }))).toMatchObject({ code: 'database-refused' });
      await proveLogin(server, login, { probe: null });
      v1 = login;
    });

    on('a log-in is proven with a write that leaves nothing', async () => {
      const probe = `INSERT INTO notes (text) VALUES ('probe')`;
      expect(await proveLogin(server, v1, { probe })).toEqual({
        summary: 'app_v1 logs in on primary; the probe wrote and was rolled back',
        facts: { user: 'app_v1', role: 'app_v1', nodes: 1, probe: true, wrote: true, rows: 1 },
      });
      expect((await proveLogin(server, v1, { probe: null })).facts).toMatchObject({ tables: 1, statements: 3 });
      expect((await proveLogin(server, v1, { probe: 'DELETE FROM notes WHERE false' })).summary).toContain(
        'ran but wrote nothing',
      );
      for (const [bad, words] of [
        ['COMMIT', 'ended its own transaction'],
        [`INSERT INTO notes (text) VALUES ('a'); COMMIT`, '42601'],
        ['CREATE TABLE public.mine (id int); ', major >= 15 ? '42501' : ''],
        ['INSERT INTO notes (text) VALUES (NULL)', '23502'],
      ] as const) {
        if (words === '') continue;
        const error = await failureOf(proveLogin(server, v1, { probe: bad }));
        expect(error).toMatchObject({ code: 'probe-failed', effect: 'none' });
        expect(error.message).toContain(words);
      }
      expect(await inDatabase(postgres, 'SELECT * FROM notes')).toEqual([]);
    });

    on('a session that does not run as the expected role is found out, also when the group is gone', async () => {
      const v2 = { user: 'app_v2', password: newPassword() };
      await postgres.sql(
        `CREATE ROLE app_v2 LOGIN IN ROLE ${OWNER} PASSWORD '${scramVerifier(v2.password, 'app_v2')}'`,
        `ALTER ROLE app_v2 SET role = '${OWNER}'`,
      );
      const proven = await proveLogin(server, v2, { expectRole: OWNER, probe: null });
      expect(proven.summary).toContain(`works as ${OWNER}`);
      expect(await failureOf(proveLogin(server, v2, { probe: null }))).toMatchObject({ code: 'wrong-role' });
      await postgres.sql(`REVOKE ${OWNER} FROM app_v2`);
      const error = await failureOf(proveLogin(server, v2, { expectRole: OWNER, probe: null }));
      expect(error).toMatchObject({ code: 'wrong-role', effect: 'none' });
      expect(error.message).toBe('on primary the session of app_v2 runs as app_v2, not as app_owner');
    });

    on('open sessions are named, spared by their age, and only ended on demand', async () => {
      expect(await listSessions(server, 'app_v1')).toEqual([]);
      const open = await connectAs(postgres, v1, 'messaging-worker');
      await open.client.query('BEGIN');
      await open.client.query('SELECT count(*) FROM notes');
      const [session] = await listSessions(server, 'app_v1');
      expect(session).toMatchObject({
        ...{ node: 'primary', address: '127.0.0.1', application: 'messaging-worker' },
        ...{ state: 'idle in transaction', count: 1 },
      });
      expect(session?.since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      // Taking the right to log in does not end it.
      await postgres.sql('ALTER ROLE app_v1 NOLOGIN');
      await stays(200, async () => {
        expect((await open.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      });
      await postgres.sql('ALTER ROLE app_v1 LOGIN');
      const between = await serverTime(server);
      const later = await connectAs(postgres, v1, 'later');
      const ended = await terminateSessions(server, 'app_v1', { startedBefore: between });
      expect(ended.facts).toEqual({ ended: 1, 'ended.primary': 1 });
      await open.ended;
      expect((await listSessions(server, 'app_v1')).map(({ application }) => application)).toEqual(['later']);
      expect((await terminateSessions(server, 'app_v1')).facts).toMatchObject({ ended: 1 });
      await later.ended;
      expect((await terminateSessions(server, 'app_v1')).facts).toMatchObject({ ended: 0 });
    });

    on('without the rights, sessions are hidden and not ended, and the error says what to grant', async () => {
      const poor = { user: 'poor2', password: newPassword() };
      await postgres.sql(`CREATE ROLE poor2 LOGIN PASSWORD '${scramVerifier(poor.password, 'poor2')}'`);
      const blind = serverFor(postgres, { administrator: poor });
      const open = await connectAs(postgres, v1, 'still-there');
      expect(await listSessions(blind, 'app_v1')).toMatchObject([{ state: null, address: null, count: 1 }]);
      for (const ending of [{}, { startedBefore: await serverTime(blind) }]) {
        const error = await failureOf(terminateSessions(blind, 'app_v1', ending));
        expect(error.code).toBe('administrator-lacks-rights');
        expect(error.hint).toContain('pg_read_all_stats');
      }
      expect((await open.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      await open.close();
    });

    on('a dead log-in is proven dead beside a living one; a living one is not', async () => {
      const control = { user: 'app_control', password: newPassword() };
      await postgres.sql(`CREATE ROLE app_control LOGIN PASSWORD '${scramVerifier(control.password, 'c')}'`);
      expect(await failureOf(proveRefused(server, v1, control))).toMatchObject({
        ...{ code: 'still-accepted', effect: 'none', retryable: false },
        message: 'app_v1 is still let in with this password on primary',
      });
      await postgres.sql('ALTER ROLE app_v1 NOLOGIN');
      expect((await proveRefused(server, v1, control)).facts).toMatchObject({ 'refused.primary': '28000' });
      expect((await proveRefused(server, { ...v1, password: newPassword() }, null)).facts).toMatchObject({
        'refused.primary': '28P01',
      });
      const gone = { user: 'app_never_was', password: newPassword() };
      expect((await proveRefused(server, gone, control)).facts).toMatchObject({ 'refused.primary': '28P01' });
      expect(await failureOf(proveRefused(server, gone, v1))).toMatchObject({ code: 'control-refused' });
      // The password is right, and only the database says no: that is no dead credential.
      await postgres.sql('ALTER ROLE app_v1 LOGIN', 'REVOKE CONNECT ON DATABASE app FROM PUBLIC');
      expect(await failureOf(proveRefused(server, v1, null))).toMatchObject({ code: 'still-accepted' });
      await postgres.sql('GRANT CONNECT ON DATABASE app TO PUBLIC');
    });

    on('rejected log-ins are counted from where the log stands, with their address', async () => {
      const watcher = serverFor(postgres);
      await postgres.sql('ALTER ROLE app_v1 NOLOGIN');
      const reject = async (): Promise<void> => {
        await failureOf(serverFor(postgres).as(v1, () => Promise.resolve()));
      };
      const format = major >= 15 ? 'jsonlog' : 'csvlog';
      const logged = async (): Promise<number> => {
        // In brackets, so that this statement is not found in the log itself.
        const lines = `regexp_matches(pg_read_file(pg_current_logfile('${format}')), 'is n[o]t permitted to log in', 'g')`;
        return Number((await postgres.sql(`SELECT count(*) AS of FROM ${lines}`))[0]!['of']);
      };
      const before = await logged();
      await reject();
      await expect.poll(logged).toBe(before + 1);
      const signal = new AbortController().signal;
      const progress: WatchProgress[] = [];
      const watching = watchRejectedLogins(watcher, 'app_v1', {
        ...{ milliseconds: 2_000, signal },
        onProgress: (each) => progress.push(each),
      });
      await expect.poll(() => progress.length).toBeGreaterThan(0);
      await reject();
      await reject();
      const started = performance.now();
      const seen = await watching;
      expect(performance.now() - started).toBeGreaterThan(900);
      expect(seen).toMatchObject({ readable: true, rejected: 2, from: ['127.0.0.1'] });
      // Another worker goes on from the last heartbeat: nothing is counted twice, nothing between them is lost.
      await reject();
      const resume = { ...progress.at(-1)!, elapsed: 1_900 };
      const resumed = await watchRejectedLogins(watcher, 'app_v1', { milliseconds: 2_000, signal, resume });
      expect(resumed).toMatchObject({ readable: true, rejected: 3 });
      await postgres.sql('ALTER ROLE app_v1 LOGIN');
    });

    on('a log that may not be read is an answer with its reason, after the whole time', async () => {
      const started = performance.now();
      const { signal } = new AbortController();
      const blind = await watchRejectedLogins(server, 'app_v1', { milliseconds: 600, signal });
      expect(performance.now() - started).toBeGreaterThan(600);
      expect(blind).toMatchObject({ readable: false, rejected: 0, from: [] });
      expect(blind.summary).toContain('GRANT pg_monitor');
    });

    on('a role that does not exist, and what is no verifier, are refused with nothing changed', async () => {
      const error = await failureOf(setPassword(server, 'no_such_role', scramVerifier(newPassword(), 'x')));
      expect(error).toMatchObject({ code: 'query-failed', effect: 'none' });
      expect(error.message).toContain('role "no_such_role" does not exist');
      await expect(setPassword(server, 'app_v1', 'hunter2-plaintext')).rejects.toThrow(TypeError);
    });

    on('where a wrong password is let in, nothing can be proven, and that is said', async () => {
      expect((await wrongPasswordIsRefused(server, 'app_v1')).summary).toBe(
        'a wrong password of app_v1 is refused on primary',
      );
      const rules = ['host all keyturn,postgres 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 trust'];
      await postgres.authenticate(rules);
      const error = await failureOf(wrongPasswordIsRefused(server, 'app_v1'));
      expect(error).toMatchObject({ code: 'passwords-not-checked', effect: 'none' });
      expect(error.message).toContain('primary (lets it in)');
      expect(await failureOf(proveRefused(server, { ...v1, password: newPassword() }, null))).toMatchObject({
        code: 'still-accepted',
      });
      await postgres.authenticate(rules.slice(0, 1));
      expect((await failureOf(wrongPasswordIsRefused(server, 'app_v1'))).message).toContain('primary (28000)');
      await postgres.authenticate(['host all all 127.0.0.1/32 scram-sha-256']);
    });

    on('a wrong administrator password is said, and nothing has changed', async () => {
      const wrong = serverFor(postgres, { administrator: { ...administrator, password: newPassword() } });
      const needs = { strategy: 'copy', role: 'app_v1', group: null } as const;
      const verifier = scramVerifier(newPassword(), 'x');
      const before = await postgres.sql('SELECT rolname, rolpassword FROM pg_authid ORDER BY 1');
      for (const attempt of [
        () => assessAdministrator(wrong, needs),
        () => setPassword(wrong, 'app_v1', verifier),
        () => listSessions(wrong, 'app_v1'),
        () => terminateSessions(wrong, 'app_v1'),
        () => proveLogin(wrong, v1, { probe: null }),
      ]) {
        const error = await failureOf(attempt());
        expect(error).toMatchObject({ code: 'database-refused', effect: 'none' });
        expect(error.message).toContain('variable APP_ADMIN_URL');
      }
      expect(await postgres.sql('SELECT rolname, rolpassword FROM pg_authid ORDER BY 1')).toEqual(before);
    });
  });
}
