/** What a killed worker leaves of a step's login, and who drops it. */
import { beforeAll, expect, it } from 'vitest';
import { commentOf, dropLeftovers, type Purpose } from '../../src/databases/access/working-login-end.js';
import { Server } from '../../src/databases/server.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { freshDatabase, freshRoleName, type FreshDatabase } from '../support/servers.js';
import { id, run } from './roles/support/world.js';

const PURPOSE: Purpose = { run: 'rotate:shop/production/KEY', execution: freshRoleName('execution'), part: '12' };

let app: FreshDatabase;
beforeAll(async () => {
  app = await freshDatabase('working_login');
  const owner = freshRoleName('owner');
  await run(app.url, `CREATE ROLE ${id(owner)}; CREATE TABLE t (id int); ALTER TABLE t OWNER TO ${id(owner)}`);
});

function serverFor(purpose: Purpose, table = 'public.t'): Server {
  return new Server({
    ...{ administrator: new SecretValue(app.url), label: 'variable ADMIN_URL', database: null, replicas: [] },
    ...{ signal: new AbortController().signal, purpose, touched: [table] },
  });
}

/** Made, and never dropped by its maker. */
async function killedAt(purpose: Purpose): Promise<void> {
  await serverFor(purpose).asWorker((client) => client.query('SELECT FROM t'));
}

async function loginsOf(purpose: Purpose): Promise<number> {
  const rows = await run(app.url, `SELECT shobj_description(oid, 'pg_authid') AS said FROM pg_roles`);
  return rows.filter(({ said }) => said === commentOf(purpose)).length;
}

it('the attempt that follows a killed one drops its login, also when it has nothing to do with one', async () => {
  const other = { ...PURPOSE, part: '13' };
  await killedAt(PURPOSE);
  await killedAt(other);
  expect([await loginsOf(PURPOSE), await loginsOf(other)]).toEqual([1, 1]);

  await serverFor(PURPOSE).close();
  expect(await loginsOf(PURPOSE), 'a first attempt follows nobody').toBe(1);
  await serverFor({ ...PURPOSE, again: true }).close();
  expect([await loginsOf(PURPOSE), await loginsOf(other)], 'another step may be at work').toEqual([0, 1]);
  await serverFor({ ...other, again: true }).close();
  expect(await loginsOf(other)).toBe(0);
});

it('steps that end at once on one table leave nothing: each takes back what it was granted there', async () => {
  // The superuser's: opened to each login by itself, so that all of them change the rights of the same table.
  await run(app.url, 'CREATE TABLE IF NOT EXISTS shared (id int)');
  const parts = Array.from({ length: 6 }, (_, part) => ({ ...PURPOSE, part: `parallel ${part}` }));
  for (let round = 0; round < 2; round += 1) {
    const servers = parts.map((purpose) => serverFor(purpose, 'public.shared'));
    for (const server of servers) await server.asWorker((client) => client.query('SELECT FROM shared'));
    await Promise.all(servers.map((server) => server.close()));
    for (const part of parts) expect(await loginsOf(part)).toBe(0);
  }
});

it('a right that it lacks since the table was handed on is had by the next attempt', async () => {
  const heir = freshRoleName('heir');
  await run(
    app.url,
    `CREATE ROLE ${id(heir)}; CREATE TABLE handed_on (id int); ALTER TABLE handed_on OWNER TO ${id(heir)}`,
  );
  const next = freshRoleName('next_owner');
  const server = serverFor({ ...PURPOSE, part: '20' }, 'public.handed_on');
  const failed = await server
    .asWorker(async (client) => {
      await run(app.url, `CREATE ROLE ${id(next)}; ALTER TABLE handed_on OWNER TO ${id(next)}`);
      await client.query('SELECT FROM handed_on');
    })
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ sqlState: '42501', retryable: true });
  await server.close();
  const again = serverFor({ ...PURPOSE, part: '20', again: true }, 'public.handed_on');
  await again.asWorker((client) => client.query('SELECT FROM handed_on'));
  await again.close();
});

it('another execution of the run drops what all steps of one that is over have left, and not its own', async () => {
  const next = { ...PURPOSE, execution: freshRoleName('next') };
  await killedAt(PURPOSE);
  const server = serverFor(next);
  await server.asWorker(async () => {
    expect([await loginsOf(PURPOSE), await loginsOf(next)]).toEqual([0, 1]);
    await Promise.resolve();
  });
  await server.close();
  expect(await loginsOf(next)).toBe(0);
});

it("a login of somebody else's run goes once its time is up, and not before", async () => {
  await killedAt(PURPOSE);
  const drop = async (): Promise<void> => {
    await serverFor(PURPOSE).asAdministrator((client) =>
      dropLeftovers(client, { run: 'rotate:other/production/KEY', execution: 'another', part: 'any' }, 'none'),
    );
  };
  await drop();
  expect(await loginsOf(PURPOSE)).toBe(1);
  const [made] = await run(
    app.url,
    `SELECT rolname AS name, rolvaliduntil < now() + interval '15 minutes' AS soon FROM pg_roles
      WHERE shobj_description(oid, 'pg_authid') = '${commentOf(PURPOSE).replaceAll("'", "''")}'`,
  );
  expect(made?.['soon']).toBe(true);
  await run(app.url, `ALTER ROLE ${id(String(made?.['name']))} VALID UNTIL '2000-01-01'`);
  await drop();
  expect(await loginsOf(PURPOSE)).toBe(0);
});
