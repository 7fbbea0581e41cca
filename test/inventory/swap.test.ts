import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RotationPlan } from '../../src/domain/plan.js';
import { foreseenSteps } from '../../src/runbooks/index.js';
import { loadInventory } from '../../src/inventory/load.js';
import { InventoryError } from '../../src/inventory/problems.js';
import { resolvePlan } from '../../src/inventory/resolve.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-swap-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const inventory = (secret: string, more = ''): string => `system: Shop-1
stores: { env: { type: dotenv, file: .env } }
databases: { app: { url: { env: SHOP_ADMIN }, nodes: { replica: 'db2:5433' } } }
services: { app: { deploy: { type: command, argv: [./deploy] }, health: [health] } }
checks: { health: { type: http, url: http://localhost/health } }
environments:
  - { name: development, tier: development, stores: { env: { type: dotenv, file: .env.development } } }
  - { name: staging, tier: staging, stores: { env: { type: dotenv, file: .env.staging } } }
  - { name: production, tier: production ${more} }
secrets:
  DATABASE_URL: { kind: database, store: env, services: [app], cadence: 90d, ${secret} }
`;

async function planOf(
  secret: string,
  {
    environment = 'production',
    reason = 'routine',
    more = '',
  }: { environment?: string; reason?: RotationPlan['reason']; more?: string } = {},
): Promise<RotationPlan> {
  await writeFile(join(directory, 'shop.yaml'), inventory(secret, more));
  return resolvePlan(await loadInventory(directory), {
    ref: { system: 'Shop-1', environment, secret: 'DATABASE_URL' },
    operator: 'ana',
    reason,
    requestId: '01a1b2c3-d4e5-7f60-8a9b-0c1d2e3f4a5b',
    note: null,
    at: '2026-11-21T10:00:00.000Z',
    variables: {},
  });
}

const titles = (plan: RotationPlan): string[] => foreseenSteps(plan).map(({ title }) => title);

test('passwords in clear are a word of the inventory, told in the plan; with a way that others can read they are refused', async () => {
  const inClear = (more: string): Promise<RotationPlan> =>
    planOf('swap: { database: app, strategy: copy }', {
      more: `, databases: { app: { url: { env: SHOP_ADMIN }, passwords: plaintext${more} } }`,
    });
  const { swap, decisions } = await inClear('');
  expect(swap?.server.administrator).toEqual({ env: 'SHOP_ADMIN', passwords: 'plaintext' });
  expect(decisions.join('\n')).toMatch(/database "app": passwords of roles are sent in clear.*log_statement/);
  const usual = await planOf('swap: { database: app, strategy: copy }');
  expect(JSON.stringify([usual.swap, usual.decisions])).not.toMatch(/plaintext|in clear/);
  for (const tls of ['off', 'unverified']) {
    await expect(inClear(`, tls: ${tls}`)).rejects.toThrow(`passwords in clear could be read`);
  }
});

test('what the inventory gives up on the way to other hosts goes with the server, and is told in the plan', async () => {
  const swapOf = (more: string): Promise<RotationPlan> =>
    planOf('swap: { database: app, strategy: copy }', { more: `, ${more}` });
  const database = (tls: string): string => `databases: { app: { url: { env: SHOP_ADMIN }, tls: ${tls} } }`;
  for (const [tls, told] of [
    ['off', 'database "app": not encrypted, as the inventory says (tls: off)'],
    ['unverified', 'database "app": its certificate is not verified, as the inventory says'],
  ] as const) {
    const { swap, decisions } = await swapOf(database(tls));
    expect(swap?.server.administrator).toEqual({ env: 'SHOP_ADMIN', tls });
    expect(decisions).toContain(told);
  }
  const request = 'url: http://app.test/health, plaintext: allowed';
  for (const check of [`type: http, ${request}`, `type: http-flow, steps: [{ name: look, ${request} }]`]) {
    const { decisions } = await swapOf(`checks: { health: { ${check} } }`);
    expect(decisions).toContain('check "health" may send credentials over http://, as the inventory says');
  }
  const { swap, decisions } = await planOf('swap: { database: app, strategy: copy }');
  expect(JSON.stringify([swap?.server, decisions])).not.toMatch(/tls|not encrypted|certificate|over http:/);
});

test('what is not said has the defaults of the written runbooks', async () => {
  const { swap, method, generator, approval } = await planOf('swap: { database: app, strategy: group }');
  expect(swap).toEqual({
    strategy: 'group',
    server: {
      administrator: { env: 'SHOP_ADMIN' },
      database: null,
      replicas: [{ name: 'replica', host: 'db2', port: 5433 }],
    },
    shape: { in: 'url' },
    newRole: 'shop_1_production_261121_3f4a5b',
    group: null,
    delay: '24h',
    watchEvery: '5m',
    observe: '10m',
    probe: null,
  });
  expect({ method, generator }).toEqual({ method: 'new role (group)', generator: 'base64url:32' });
  expect(approval.gates).toEqual(['wave', 'drop']);
});

test('the first environment begins without a gate, a developer is asked nothing, and what is said counts', async () => {
  const swap = 'swap: { database: app, strategy: copy }';
  expect((await planOf(swap, { environment: 'staging' })).approval.gates).toEqual(['drop']);
  expect((await planOf(swap, { environment: 'development' })).approval.gates).toEqual([]);
  expect((await planOf(swap, { more: ', approval: { approvers: 2 }' })).approval).toMatchObject({
    gates: ['wave', 'drop'],
    approvers: 2,
  });
  expect((await planOf(swap, { more: ', approval: { gates: [] }' })).approval.gates).toEqual([]);
});

test('an environment says some of it differently', async () => {
  const more = ', secrets: { DATABASE_URL: { swap: { delay: 1h, strategy: copy } } }';
  const { swap } = await planOf('swap: { database: app, strategy: group, observe: 1m }', { more });
  expect(swap).toMatchObject({ strategy: 'copy', delay: '1h', observe: '1m' });
});

test.each(['leak', 'suspicion'] as const)('%s: nothing is waited for, and the drop is no question', async (reason) => {
  const plan = await planOf('swap: { database: app, strategy: group }', { reason });
  expect(plan.swap).toMatchObject({ delay: '0s', observe: '0s' });
  expect(titles(plan)).not.toContain('Approval: drop the old role');
  expect(titles(plan).indexOf('Shut the old role out')).toBeLessThan(titles(plan).indexOf('Compare the rights again'));
  expect(plan.decisions.join()).toContain('the old role is shut out and its sessions ended at once');
});

test('when somebody leaves the old role is kept only where the inventory says so', async () => {
  const swap = 'swap: { database: app, strategy: group, delay: 2h }';
  const plan = await planOf(swap, { reason: 'leaver' });
  expect(plan.swap).toMatchObject({ delay: '0s', observe: '10m' });
  expect(plan.decisions).toContain('somebody with access leaves: the old role is dropped as soon as nobody is on it');
  expect((await planOf(`leaver: as-routine, ${swap}`, { reason: 'leaver' })).swap?.delay).toBe('2h');
});

test('the digest is the same whichever run and day: it names what will be done', async () => {
  const one = await planOf('swap: { database: app, strategy: group }');
  const other = resolvePlan(await loadInventory(directory), {
    ref: one.ref,
    operator: 'ana',
    reason: 'routine',
    requestId: 'another',
    note: null,
    at: '2027-01-01T00:00:00Z',
    variables: {},
  });
  expect(other.swap?.newRole).toBe('shop_1_production_270101_nother');
  expect(other.digest).toBe(one.digest);
});

test('user and password in two variables are one slot', async () => {
  const shape = '{ in: variables, user: DB_USER, password: DB_PASSWORD }';
  const { slot } = await planOf(`swap: { database: app, strategy: copy, credential: ${shape} }`);
  expect(slot).toMatchObject({ key: 'DB_USER', exposure: { style: 'pair', variable: 'DB_PASSWORD' } });
});

describe('what does not fit together is refused with its place', () => {
  test.each([
    ['swap: { strategy: group }', 'needs the database whose role it is'],
    ['swap: { database: ap, strategy: group }', 'unknown database "ap" (did you mean "app"?)'],
    ['swap: { database: app }', 'needs a strategy'],
    ['swap: { database: app, strategy: copy, group: owners }', 'swap.group: has a meaning for the strategy group only'],
    [
      'swap: { database: app, strategy: copy, credential: { in: password, user: shop } }',
      'the user name is fixed, so a new role could not be told to the application',
    ],
    [
      'swap: { database: app, strategy: copy, credential: { in: variables, user: X, password: X } }',
      'user and password stand in the same variable',
    ],
    ['swap: { database: app, strategy: copy, watchEvery: 2d }', 'would not be looked at within its delay of 24h'],
    ['swap: { database: app, strategy: copy, watchEvery: 10ms }', 'the server is asked too often'],
    ['swap: { database: app, strategy: copy, delay: 90d }', 'before the old role of the last is dropped'],
    ['part: { url: password }, swap: { database: app, strategy: copy }', 'part: does not fit kind database'],
    [
      'generator: "base64:32", swap: { database: app, strategy: copy }',
      'characters that URLs, shells or env files treat',
    ],
    [
      'generator: "hex:12", minimumLength: 20, swap: { database: app, strategy: copy }',
      'makes 24 characters; a database',
    ],
    ['swap: { database: app, strategy: copy, rolePrefix: Shop }', 'must be lower-case letters'],
  ])('%s', async (secret, message) => {
    const error: unknown = await planOf(secret).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InventoryError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).toMatch(/shop\.yaml:\d+: /);
  });

  test('a node that is no HOST:PORT', async () => {
    await writeFile(
      join(directory, 'shop.yaml'),
      inventory('swap: { database: app, strategy: copy }').replace('db2:5433', 'postgres://me:pw@db2'),
    );
    const error: unknown = await loadInventory(directory)
      .then((loaded) =>
        resolvePlan(loaded, {
          ref: { system: 'Shop-1', environment: 'production', secret: 'DATABASE_URL' },
          operator: 'ana',
          reason: 'routine',
          requestId: 'r',
          note: null,
          variables: {},
        }),
      )
      .catch((reason: unknown) => reason);
    expect(String(error)).not.toContain('pw@');
    expect(error).toBeInstanceOf(Error);
  });

  test('without swap a database credential has no runbook here', async () => {
    await expect(planOf('notes: by hand')).rejects.toMatchObject({
      code: 'no-runbook',
      message: 'Shop-1/production/DATABASE_URL does not say how its credential is swapped',
    });
  });
});
