/** `passwords: plaintext`, from the inventory to what the server is sent. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ActivityDeps } from '../../../src/activities/deps.js';
import { withScope } from '../../../src/activities/scope.js';
import { stageCredential } from '../../../src/activities/swap/credential.js';
import { askAboutSwap } from '../../../src/activities/swap/readiness.js';
import { createRole } from '../../../src/activities/swap/roles.js';
import { loadInventory } from '../../../src/inventory/load.js';
import { resolvePlan } from '../../../src/inventory/resolve.js';
import { createFingerprinter } from '../../../src/stores/fingerprint.js';
import { openStore } from '../../../src/stores/open-store.js';
import { readCredential } from '../../../src/stores/credential-value.js';
import { prepare } from '../../databases/access/support.js';
import { afterwards } from '../../support/afterwards.js';
import { startVersion } from '../../support/postgres-versions.js';

const INVENTORY = `system: shop
stores: { env: { type: dotenv, file: .env } }
databases: { app: { url: { env: SHOP_ADMIN }, passwords: plaintext } }
services: { web: { deploy: { type: command, argv: ['true'] }, health: [health] } }
checks: { health: { type: http, url: http://127.0.0.1:9/health } }
environments: [{ name: production, tier: production }]
secrets:
  DATABASE_URL: { kind: database, store: env, services: [web], swap: { database: app, strategy: copy } }
`;

test('readiness says where the server writes passwords down, and there the new one is, in clear', async () => {
  const postgres = await startVersion(18, { log_statement: 'ddl' });
  if (typeof postgres === 'string') throw new Error(postgres);
  const { administrator, v1 } = await prepare(postgres);
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-in-clear-'));
  afterwards(() => rm(directory, { recursive: true }));
  const urlOf = ({ user, password }: typeof v1): string =>
    `postgresql://${user}:${password.reveal()}@127.0.0.1:${postgres.port}/app`;
  await writeFile(join(directory, 'shop.yaml'), INVENTORY);
  await writeFile(join(directory, '.env'), `DATABASE_URL='${urlOf(v1)}'\n`);
  const variables = { SHOP_ADMIN: urlOf(administrator) };
  const namespace = () => Promise.resolve({ name: 'default', id: 'id-of-default' });
  const deps = { fingerprint: createFingerprinter('key'), namespace, variables } as unknown as ActivityDeps;
  const { signal } = new AbortController();
  const plan = resolvePlan(await loadInventory(directory), {
    ref: { system: 'shop', environment: 'production', secret: 'DATABASE_URL' },
    ...{ operator: 'ana', reason: 'routine', requestId: 'request', note: null, variables },
  });
  const swap = plan.swap!;

  const within = <T>(work: () => Promise<T>): Promise<T> =>
    withScope(
      { run: `test ${randomUUID()}`, execution: 'a test', part: 'all' },
      (error) => expect.unreachable(String(error)),
      work,
    );

  const answers = new Map<string, unknown>();
  const asking = () =>
    askAboutSwap(plan, swap, {
      ...{ deps, signal, leftBehind: null },
      ask: async (question, body) => void answers.set(question, await body().catch((error: unknown) => error)),
    });
  await within(asking);
  expect(answers.get('passwords in clear')).toEqual({
    warning: expect.stringMatching(
      /^taken.*the server writes them down: in its log \(log_statement = ddl\); where/,
    ) as string,
  });
  expect(answers.get('administrator')).toBe('may do what this takes');

  const hold = { slot: plan.slot, rotation: 'request', swap };
  const { ref, generator, minimumLength, reason } = plan;
  await stageCredential({ ...hold, ref, generator, minimumLength, reason }, deps, { workflowId: 'rotate:shop' });
  expect((await within(() => createRole(hold, deps, signal))).summary).toContain(
    'sent in clear, as the inventory says',
  );
  const { user, password } = readCredential(
    swap.shape,
    await openStore(plan.slot.store, deps).read(plan.slot, 'pending'),
  );
  const log = await readFile(postgres.logFile, 'utf8');
  expect(log).toContain(`CREATE ROLE "${user}" LOGIN PASSWORD '${password.reveal()}'`);
  const stored = await postgres.sql(
    `SELECT rolpassword LIKE 'SCRAM%' AS scram FROM pg_authid WHERE rolname = '${user}'`,
  );
  expect(stored).toEqual([{ scram: true }]);
});
