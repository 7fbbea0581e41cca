/** A primary with a streaming replica: what the replica does not know yet, and nodes that are not what the inventory says. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assessAdministrator } from '../../../src/databases/access/assess-administrator.js';
import { setPassword } from '../../../src/databases/access/password.js';
import { proveLogin, proveRefused, wrongPasswordIsRefused } from '../../../src/databases/access/prove-login.js';
import { watchRejectedLogins } from '../../../src/databases/access/rejected-logins.js';
import { scramVerifier } from '../../../src/databases/access/scram.js';
import { listSessions, serverTime, terminateSessions } from '../../../src/databases/access/sessions.js';
import type { Login, Server } from '../../../src/databases/server.js';
import { startReplica, startVersion, type TestReplica, type TestServer } from '../../support/postgres-versions.js';
import { connectAs, failureOf, newPassword, prepare, serverFor } from './support.js';

const NEEDS = { strategy: 'same-role', role: 'app_v1', group: null } as const;

for (const major of [14, 18] as const) {
  describe(`PostgreSQL ${major} with a replica`, () => {
    let unavailable: string | null = null;
    let primary: TestServer;
    let replica: TestReplica;
    let server: Server;
    let administrator: Login;
    let v1: Login;

    beforeAll(async () => {
      const running = await startVersion(major);
      if (typeof running === 'string') return void (unavailable = running);
      primary = running;
      ({ administrator, v1 } = await prepare(primary));
      replica = await startReplica(primary);
      server = serverFor(primary, { administrator, replicas: [replica] });
    });

    const on = (name: string, body: () => Promise<void>): void => {
      test(name, async (context) => {
        if (unavailable !== null) return context.skip(unavailable);
        await body();
      });
    };

    on('is fit, and a log-in is proven on both: written on the primary, read on the replica', async () => {
      expect(await assessAdministrator(server, NEEDS)).toEqual({ problems: [], warnings: [] });
      await wrongPasswordIsRefused(server, 'app_v1');
      expect((await proveLogin(server, v1, { probe: null })).summary).toBe(
        'app_v1 logs in on primary, replica1; may write 1 table; reads on replica1',
      );
    });

    on('sessions are listed and ended on both', async () => {
      const open = [await connectAs(primary, v1, 'writer'), await connectAs(replica, v1, 'reader')];
      expect((await listSessions(server, 'app_v1')).map((each) => `${each.application} on ${each.node}`)).toEqual([
        'writer on primary',
        'reader on replica1',
      ]);
      const ended = await terminateSessions(server, 'app_v1', { startedBefore: await serverTime(server) });
      expect(ended.facts).toEqual({ ended: 2, 'ended.primary': 1, 'ended.replica1': 1 });
      await Promise.all(open.map((session) => session.ended));
    });

    on('a replica that comes late is waited for: a new role, a new password, and the end of an old one', async () => {
      const v2 = { user: 'app_v2', password: newPassword() };
      const later = async (milliseconds: number): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        await replica.resumeReplay();
      };
      await replica.pauseReplay();
      await primary.sql(
        `CREATE ROLE app_v2 LOGIN PASSWORD '${scramVerifier(v2.password, 'app_v2')}'`,
        'GRANT app_v2 TO keyturn WITH ADMIN OPTION',
      );
      await Promise.all([later(1_500), proveLogin(server, v2, { probe: null })]);
      await replica.pauseReplay();
      const changed = { user: 'app_v2', password: newPassword() };
      await setPassword(server, 'app_v2', scramVerifier(changed.password, 'again'));
      await Promise.all([later(1_500), proveLogin(server, changed, { probe: null })]);
      await replica.pauseReplay();
      await primary.sql('ALTER ROLE app_v2 NOLOGIN');
      const [, refused] = await Promise.all([later(1_500), proveRefused(server, changed, v1)]);
      expect(refused.facts).toMatchObject({ 'refused.primary': '28000', 'refused.replica1': '28000' });
    });

    on('a replica that does not come is named with its lag, after 30 s, and services were not touched', async () => {
      const v3 = { user: 'app_v3', password: newPassword() };
      const old = { user: 'app_old', password: newPassword() };
      await primary.sql(`CREATE ROLE app_old LOGIN PASSWORD '${scramVerifier(old.password, 'old')}'`);
      await replica.caughtUp();
      await replica.pauseReplay();
      await primary.sql(`CREATE ROLE app_v3 LOGIN PASSWORD '${scramVerifier(v3.password, 'app_v3')}'`);
      await primary.sql('ALTER ROLE app_old NOLOGIN');
      const started = performance.now();
      const [late, alive] = await Promise.all([
        failureOf(proveLogin(server, v3, { probe: null })),
        failureOf(proveRefused(server, old, v1)),
      ]);
      expect(performance.now() - started).toBeGreaterThan(29_000);
      expect(late).toMatchObject({ code: 'not-on-replica', effect: 'none', retryable: true });
      expect(late.message).toMatch(
        /^node replica1 does not know app_v3 yet: it is \d+ bytes behind, .*replay is paused$/,
      );
      expect(alive).toMatchObject({ code: 'still-accepted', effect: 'none', retryable: true });
      expect(alive.message).toMatch(/still let in .* on replica1 \(\d+ bytes behind/);
      await replica.resumeReplay();
      await proveLogin(server, v3, { probe: null });
      await proveRefused(server, old, v1);
    });

    on('a log-in that is really refused is not waited for', async () => {
      await replica.caughtUp();
      const started = performance.now();
      const wrong = { user: 'app_v1', password: newPassword() };
      expect(await failureOf(proveLogin(server, wrong, { probe: null }))).toMatchObject({ code: 'database-refused' });
      expect(performance.now() - started).toBeLessThan(5_000);
    });

    on('nodes that are not replicas of this primary are found out', async () => {
      const messages = async (other: Server): Promise<string[]> =>
        (await assessAdministrator(other, NEEDS)).problems.map(({ message }) => message);
      const twice = serverFor(primary, {
        administrator,
        replicas: [{ name: 'twin', host: '127.0.0.1', port: primary.port }],
      });
      expect(await messages(twice)).toEqual(['node twin is not a replica (it is not in recovery)']);
      expect(await failureOf(proveLogin(twice, v1, { probe: null }))).toMatchObject({ code: 'not-a-replica' });
      expect(await messages(serverFor(replica, { administrator }))).toContain(
        "the administrator's URL leads to a replica (it is in recovery)",
      );
    });

    on(
      'a replica that cannot be reached stops everything that needs to know about it, and nothing has changed',
      async () => {
        const silent = createServer(() => undefined);
        await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
        const { port } = silent.address() as AddressInfo;
        await new Promise((resolve) => silent.close(resolve));
        const broken = serverFor(primary, { administrator, replicas: [{ name: 'gone', host: '127.0.0.1', port }] });
        const open = await connectAs(primary, v1, 'stays');
        const said = 'the database of the variable APP_ADMIN_URL on node gone cannot be reached: connection refused';
        for (const attempt of [
          () => listSessions(broken, 'app_v1'),
          () => proveLogin(broken, v1, { probe: null }),
          () => wrongPasswordIsRefused(broken, 'app_v1'),
          () => proveRefused(broken, { ...v1, password: newPassword() }, v1),
        ]) {
          const error = await failureOf(attempt());
          expect(error).toMatchObject({ code: 'database-unreachable', effect: 'none', retryable: true, message: said });
        }
        const { problems } = await assessAdministrator(broken, NEEDS);
        expect(problems).toEqual([{ message: said, hint: expect.stringContaining('node gone') as string }]);
        const { signal } = new AbortController();
        expect(await watchRejectedLogins(broken, 'app_v1', { milliseconds: 1, signal })).toMatchObject({
          readable: false,
        });
        expect((await open.client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
        await open.close();
      },
    );

    afterAll(async () => {
      if (unavailable === null) await replica.resumeReplay();
    });
  });
}

test('a node of another cluster is found out', async (context) => {
  const [one, other] = [await startVersion(18), await startVersion(18)];
  if (typeof one === 'string' || typeof other === 'string') return context.skip();
  for (const each of [one, other]) await each.sql(`CREATE ROLE app_v1 LOGIN`, 'CREATE DATABASE app');
  // Both let the same superuser in: only the cluster's own number tells them apart.
  await other.sql(`ALTER ROLE postgres PASSWORD '${scramVerifier(one.password, 'same')}'`);
  const server = serverFor(one, { replicas: [{ name: 'foreign', host: '127.0.0.1', port: other.port }] });
  const { problems } = await assessAdministrator(server, NEEDS);
  expect(problems.map(({ message }) => message)).toEqual(['node foreign belongs to another cluster than the primary']);
});
