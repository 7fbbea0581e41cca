/** A new credential is tried where its value says that the application connects, before anything is switched. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import getPort from 'get-port';
import { beforeAll, expect, test } from 'vitest';
import type { ActivityDeps } from '../../../src/activities/deps.js';
import { assessOwnAddress, proveAtOwnAddress } from '../../../src/activities/swap/own-address.js';
import type { SwapHold } from '../../../src/activities/swap-activities.js';
import type { PlannedSwap, RotationPlan } from '../../../src/domain/plan.js';
import { SecretValue } from '../../../src/domain/secret-value.js';
import type { SecretSlot } from '../../../src/domain/slot.js';
import type { CredentialShape } from '../../../src/domain/specs/swap.js';
import type { Login } from '../../../src/databases/server.js';
import { createFingerprinter } from '../../../src/stores/fingerprint.js';
import { openStore } from '../../../src/stores/open-store.js';
import { startPgBouncer, withoutPgBouncer } from '../../databases/access/pgbouncer.js';
import { failureOf, newPassword, prepare } from '../../databases/access/support.js';
import { afterwards } from '../../support/afterwards.js';
import { startVersion, type TestServer } from '../../support/postgres-versions.js';

const { signal } = new AbortController();
const deps = { fingerprint: createFingerprinter('key'), variables: {} } as unknown as ActivityDeps;
const fresh = { user: 'app_v2', password: newPassword() };
let postgres: TestServer;
let v1: Login;

beforeAll(async () => {
  const running = await startVersion(18);
  if (typeof running === 'string') throw new Error(running);
  postgres = running;
  ({ v1 } = await prepare(postgres));
  await postgres.sql(`CREATE ROLE app_v2 LOGIN PASSWORD '${fresh.password.reveal()}'`);
});

const urlOf = ({ user, password }: Login, port: number): string =>
  `postgresql://${user}:${password.reveal()}@127.0.0.1:${port}/app`;

/** A run that has staged the new credential. */
async function staged(current: string, pending: string, shape: CredentialShape = { in: 'url' }): Promise<SwapHold> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-address-'));
  afterwards(() => rm(directory, { recursive: true }));
  const file = join(directory, '.env');
  await writeFile(file, `DATABASE_URL='${current}'\n`);
  const slot: SecretSlot = { store: { type: 'dotenv', file }, key: 'DATABASE_URL', exposure: { style: 'single' } };
  await openStore(slot.store, deps).stage(slot, 'run', () => new SecretValue(pending));
  return { slot, rotation: 'run', swap: { shape } as PlannedSwap };
}
const prove = (hold: SwapHold): Promise<string> => proveAtOwnAddress(hold, false, deps, signal);
const assess = ({ slot, swap }: SwapHold) => assessOwnAddress({ slot } as RotationPlan, swap, deps, signal);

test('it is let in where the value says', async () => {
  const hold = await staged(urlOf(v1, postgres.port), urlOf(fresh, postgres.port));
  expect(await assess(hold)).toBe('the worker gets in there too');
  expect(await prove(hold)).toBe('let in where the application connects');
  const named = (url: string): string => url.replace('postgresql:', 'postgresql+asyncpg:');
  expect(await prove(await staged(named(urlOf(v1, postgres.port)), named(urlOf(fresh, postgres.port))))).toMatch(
    /^let/,
  );
  const json = ({ user, password }: Login): string =>
    JSON.stringify({
      username: user,
      password: password.reveal(),
      host: '127.0.0.1',
      port: postgres.port,
      dbname: 'app',
    });
  const shape = { in: 'json', user: '/username', password: '/password' } as const;
  expect(await prove(await staged(json(v1), json(fresh), shape))).toBe('let in where the application connects');
});

test.skipIf(withoutPgBouncer)('a pooler that knows the old user only is found before the switch', async () => {
  const port = await startPgBouncer(postgres, [v1], 'transaction');
  const hold = await staged(urlOf(v1, port), urlOf(fresh, port));
  while (typeof (await assess(hold)) !== 'string') await sleep(50);
  const error = await failureOf(prove(hold));
  expect(error).toMatchObject({
    code: 'refused-at-its-address',
    hint: expect.stringContaining('auth_query') as string,
  });
  expect(error.message).toContain('the old credential is let in there');
});

test('so is a line of pg_hba.conf that refuses it', async () => {
  await postgres.authenticate(['host all app_v2 127.0.0.1/32 reject', 'host all all 127.0.0.1/32 scram-sha-256']);
  const hold = await staged(urlOf(v1, postgres.port), urlOf(fresh, postgres.port));
  expect((await failureOf(prove(hold))).code).toBe('refused-at-its-address');
  await postgres.authenticate(['host all all 127.0.0.1/32 scram-sha-256']);
});

test('where the worker does not get there, that is said beforehand, and nothing is claimed', async () => {
  const port = await getPort({ host: '127.0.0.1' });
  const away = await staged(urlOf(v1, port), urlOf(fresh, port));
  expect(await assess(away)).toEqual({
    warning: expect.stringMatching(
      /connection refused, so the new credential is tried at the administrator's/,
    ) as string,
  });
  expect(await prove(away)).toMatch(/^not tried where the application connects: .*connection refused$/);
  const pair = await staged('just-a-password', 'another', { in: 'password', user: 'app_v1' });
  expect(await assess(pair)).toEqual({ warning: expect.stringContaining('does not say where') as string });
  // A worker that is let in with neither knows nothing of the application.
  const stranger = { user: 'nobody_here', password: newPassword() };
  const neither = await staged(
    urlOf(stranger, postgres.port),
    urlOf({ ...fresh, password: newPassword() }, postgres.port),
  );
  expect(await assess(neither)).toEqual({ warning: expect.stringContaining('from this worker') as string });
  expect(await prove(neither)).toContain('neither credential is let in');
});
