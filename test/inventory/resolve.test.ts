import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import { pathOf } from '../../src/domain/place.js';
import type { RotationPlan } from '../../src/domain/plan.js';
import { REASONS } from '../../src/domain/reason.js';
import { loadInventory, type Inventory } from '../../src/inventory/load.js';
import { expandSelector, resolvePlan, type PlanRequest } from '../../src/inventory/resolve.js';
import { slotsOf } from '../../src/inventory/slots.js';

const RUNBOOKS = 'test/fixtures/inventory/runbooks';
const ROOT = resolve(RUNBOOKS);

let inventory: Inventory;
let directory: string;
beforeAll(async () => {
  inventory = await loadInventory(RUNBOOKS);
  directory = await mkdtemp(join(tmpdir(), 'keyturn-resolve-'));
});
afterAll(() => rm(directory, { recursive: true }));

function plan(ref: string, changes: Partial<PlanRequest> = {}, from = inventory): RotationPlan {
  const [system = '', environment = '', secret = ''] = ref.split('/');
  return resolvePlan(from, {
    ref: { system, environment, secret },
    operator: 'ana@example.test',
    reason: 'routine',
    requestId: 'run-1',
    note: null,
    variables: {},
    ...changes,
  });
}

function refusal(make: () => unknown): KeyturnError {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(KeyturnError);
    return error as KeyturnError;
  }
  throw new Error('it should have been refused');
}

async function load(text: string): Promise<Inventory> {
  await writeFile(join(directory, 'system.yaml'), text);
  return loadInventory(directory + '/system.yaml');
}

const JWT = 'collaboration/production/JWT_REFRESH_SECRET';
const VIBE = 'mgmt-vibe/production/SESSION_SECRET';
const HMS = 'hms/production/JWT_SECRET';

describe('what the reason changes', () => {
  test.each([
    // ref, reason, method, sessions revoked, waits for the window
    [VIBE, 'routine', 'overlap (list)', false, false],
    [VIBE, 'leaver', 'replace', false, false],
    [VIBE, 'suspicion', 'replace', true, false],
    [VIBE, 'leak', 'replace', true, false],
    [JWT, 'routine', 'overlap (previous variable)', false, false],
    [JWT, 'leak', 'replace', true, false],
    [HMS, 'routine', 'replace', false, true],
    [HMS, 'leaver', 'replace', false, false],
    [HMS, 'suspicion', 'replace', false, false],
    [HMS, 'leak', 'replace', false, false],
    ['mediavault/production/SESSION_SECRET', 'routine', 'replace', true, false],
    ['mediavault/production/SESSION_SECRET', 'leak', 'replace', true, false],
  ] as const)('%s, %s', (ref, reason, method, revoked, waits) => {
    const made = plan(ref, { reason });
    expect(made.method).toBe(method);
    expect(made.overlap === null).toBe(method === 'replace');
    expect(made.revocation !== null).toBe(revoked);
    expect(made.window !== null).toBe(waits);
  });

  test('is said in words', () => {
    expect(plan(VIBE, { reason: 'leak' }).decisions).toEqual([
      'the reason is a leak: no overlap, the old value stops being accepted at once',
      'the reason is a leak: sessions are revoked',
      'the reason is a leak: the old value is not kept for the gate "retire"',
      'approvals as the environment "production" asks for',
    ]);
    expect(plan(VIBE).decisions).toEqual([
      'the old value stays accepted for 24h and 5m of skew, then it is retired',
      'sessions are revoked after a leak or a suspicion only, and the rotation is routine: they are kept',
      'approvals as the environment "production" asks for',
    ]);
    expect(plan(HMS, { reason: 'leaver' }).decisions).toEqual([
      'no overlap is declared: everyone signs in again',
      'somebody with access leaves: the maintenance window is not waited for',
      'no cadence is declared: no next date will be recorded',
      'note: invalidates all access and refresh tokens; users log in again',
    ]);
    expect(plan(HMS, { reason: 'leak' }).decisions).toContain(
      'the reason is a leak, and no session revocation is declared: none is done',
    );
    expect(plan('arenas/production/SECRET_KEY').decisions).toContain(
      'critical: All existing JWT tokens become invalid; users log in again.',
    );
  });

  test('not how the application takes two values: an earlier run may have left both', () => {
    for (const reason of REASONS) {
      expect(plan(JWT, { reason }).slot.exposure).toEqual({ style: 'previous', variable: 'JWT_REFRESH_SECRET_OLD' });
      expect(plan(VIBE, { reason }).slot.exposure).toEqual({ style: 'list', separator: ',' });
    }
  });
});

describe('what the environment changes', () => {
  test('cadence, generator, strength, overlap, proof and policy', () => {
    const development = plan('mgmt-vibe/development/SESSION_SECRET');
    expect(development).toMatchObject({
      generator: 'test:16',
      minimumLength: 16,
      cadence: null,
      overlap: null,
      proof: null,
    });
    expect(development.approval.gates).toEqual([]);
    expect(development.slot.exposure).toEqual({ style: 'single' });
    const staging = plan('mgmt-vibe/staging/SESSION_SECRET');
    expect(staging).toMatchObject({ generator: 'hex:32', minimumLength: 32, cadence: '30d' });
    const production = plan(VIBE);
    expect(production).toMatchObject({ cadence: '90d', approval: { gates: ['promote', 'retire'], approvers: 2 } });
  });

  test('settings, and with them the place', () => {
    const file = (ref: string) => pathOf(plan(ref).slot.store);
    expect(file('mgmt-vibe/development/SESSION_SECRET')).toBe(`${ROOT}/environments/development/.env`);
    expect(file(VIBE)).toBe(`${ROOT}/environments/production/.env`);
  });

  test('the store, by its name', () => {
    expect(pathOf(plan('collaboration/staging/METRICS_AUTH_TOKEN').slot.store)).toBe(
      `${ROOT}/collaboration/.env.staging`,
    );
  });

  test('`none` takes a maintenance window back', () => {
    expect(plan('hms/local/JWT_SECRET').window).toBeNull();
  });

  test('nearest to the secret in this environment wins: its override, the environment, the secret, the system', async () => {
    const policies = (system: string, environment: string, secret: string, override: string) => `
system: arena
stores: { env: { type: dotenv, file: .env } }
services: { app: { deploy: { type: command, argv: [./deploy] }, health: [health] } }
checks: { health: { type: http, url: 'http://localhost/' } }
${system}
environments: [{ name: production, tier: production, ${environment} secrets: { KEY: { ${override} } } }]
secrets: { KEY: { kind: session, store: env, services: [app], ${secret} } }
`;
    const approvers = async (...texts: [string, string, string, string]) =>
      plan('arena/production/KEY', {}, await load(policies(...texts))).approval.approvers;
    const all = [
      'approval: { approvers: 2 }',
      'approval: { approvers: 3 },',
      'approval: { approvers: 4 }',
      'approval: { approvers: 5 }',
    ] as const;
    expect(await approvers(...all)).toBe(5);
    expect(await approvers(all[0], all[1], all[2], '')).toBe(3);
    expect(await approvers(all[0], '', all[2], '')).toBe(4);
    expect(await approvers(all[0], '', '', '')).toBe(2);
    expect(await approvers('', '', '', '')).toBe(1);
  });
});

describe('what a plan holds', () => {
  test('references and absolute paths, names turned into what they stand for', () => {
    const made = plan('mediavault/production/SESSION_SECRET', { variables: { MEDIAVAULT_PORT: '8123' } });
    expect(made).toMatchObject({
      kind: 'session',
      operator: 'ana@example.test',
      taskQueue: 'keyturn',
      inventoryFile: `${ROOT}/mediavault.yaml`,
      command: 'keyturn',
      slot: { store: { type: 'dotenv', file: `${ROOT}/.env` }, key: 'SESSION_SECRET', exposure: { style: 'single' } },
      revocation: { database: { env: 'MEDIAVAULT_DATABASE_URL' }, revoke: 'DELETE FROM user_sessions' },
      proof: { type: 'signed-cookie', flow: { name: 'sign-in', type: 'http-flow' } },
    });
    expect(made.services[0]).toMatchObject({
      name: 'backend',
      deploy: { type: 'compose', directory: ROOT, envFile: '.env', services: ['backend'], action: 'up' },
      health: [{ name: 'health', url: 'http://localhost:8123/api/health' }],
    });
    expect(made.monitors[0]).toMatchObject({ measure: { type: 'sql', database: { env: 'MEDIAVAULT_DATABASE_URL' } } });
    const [flow] = made.verify;
    expect(flow).toMatchObject({ name: 'sign-in', inputs: { password: { file: `${ROOT}/probe-password` } } });
    expect(JSON.stringify(flow)).toContain('"password":"${inputs.password}"');
    expect(plan('hms/production/JWT_SECRET').services[0]?.deploy).toMatchObject({ directory: `${ROOT}/deploy` });
  });

  test('data only: it survives JSON unchanged', () => {
    for (const { ref } of slotsOf(inventory, {})) {
      const secret = [ref.system, ref.environment, ref.secret].join('/');
      if (
        inventory.systems.find(({ spec }) => spec.system === ref.system)?.spec.secrets[ref.secret]?.kind === 'signing'
      ) {
        expect(JSON.parse(JSON.stringify(plan(secret)))).toEqual(plan(secret));
      }
    }
  });

  test('a digest that names what will be done, whichever run does it', () => {
    const { digest } = plan(VIBE);
    expect(digest).toMatch(/^[0-9a-f]{32}$/);
    expect(plan(VIBE, { requestId: 'run-2' }).digest).toBe(digest);
    expect(plan(VIBE, { reason: 'leaver' }).digest).not.toBe(digest);
    expect(plan(VIBE, { operator: 'ben@example.test' }).digest).not.toBe(digest);
    expect(plan('mgmt-vibe/staging/SESSION_SECRET').digest).not.toBe(digest);
  });
});

describe('settings', () => {
  const withSettings = (settings: string, url: string) => `
system: arena
settings: ${settings}
stores: { env: { type: dotenv, file: .env } }
services: { app: { deploy: { type: command, argv: [sh, -c, 'echo $\${HOME}'] }, health: [health] } }
checks: { health: { type: http, url: '${url}', json: { port: '\${port}', keep: '$\${port}' } } }
environments: [{ name: production, tier: production, taskQueue: 'keyturn-\${port}' }]
secrets: { KEY: { kind: session, store: env, services: [app] } }
`;
  const nested = "{ port: { env: ARENA_PORT, default: '80' }, host: localhost, url: 'http://${host}:${port}' }";

  test('come from the file, from a variable, or from its default, and may use each other', async () => {
    const loaded = await load(withSettings(nested, '${url}/health'));
    const health = (variables: Record<string, string>) =>
      plan('arena/production/KEY', { variables }, loaded).services[0]?.health[0];
    expect(health({})).toMatchObject({ url: 'http://localhost:80/health', json: { port: '80', keep: '${port}' } });
    expect(health({ ARENA_PORT: '8080' })).toMatchObject({ url: 'http://localhost:8080/health' });
    expect(health({ ARENA_PORT: '' })).toMatchObject({ url: 'http://localhost:80/health' });
    const made = plan('arena/production/KEY', {}, loaded);
    expect(made.taskQueue).toBe('keyturn-80');
    // Where the environment names none, it is the queue of the worker that makes the plan.
    expect(plan(VIBE, { variables: { KEYTURN_TASK_QUEUE: 'other' } }).taskQueue).toBe('other');
    expect(plan(VIBE, { variables: { KEYTURN_TASK_QUEUE: '' } }).taskQueue).toBe('keyturn');
    expect(made.services[0]?.deploy).toMatchObject({ argv: ['sh', '-c', 'echo ${HOME}'] });
  });

  test('a missing one is named with its variable', async () => {
    const loaded = await load(withSettings('{ port: { env: ARENA_PORT } }', 'http://localhost:${port}/'));
    expect(refusal(() => plan('arena/production/KEY', {}, loaded))).toMatchObject({
      code: 'setting-missing',
      message: 'the setting "port" needs the variable ARENA_PORT of the worker',
      hint: 'set ARENA_PORT where the worker of this environment runs, or give the setting a default',
    });
  });

  test('a variable that holds a secret is refused, and not printed: plans are written into history', async () => {
    const loaded = await load(withSettings(nested, '${url}/health'));
    const value = 'postgres://arena:hunter2@db/arena';
    const error = refusal(() => plan('arena/production/KEY', { variables: { ARENA_PORT: value } }, loaded));
    expect(error.code).toBe('setting-secret');
    expect(error.message).toBe('the variable ARENA_PORT (setting "port") holds a URL with a password');
  });
});

describe('what cannot be planned', () => {
  test.each([
    ['mediavalt/production/SESSION_SECRET', 'no system "mediavalt"', 'did you mean "mediavault"?'],
    ['hms/prod/JWT_SECRET', 'the system "hms" has no environment "prod"', 'it has: local, production'],
    ['hms/production/JWT_SECRT', 'the system "hms" has no secret "JWT_SECRT"', 'did you mean "JWT_SECRET"?'],
    ['hms/production/toString', 'the system "hms" has no secret "toString"', 'it has: JWT_SECRET, DATABASE_URL'],
    [
      'mgmt-vibe/development/STRIPE_SECRET_KEY',
      '"STRIPE_SECRET_KEY" does not exist in the environment "development" of "mgmt-vibe"',
      'it exists in: staging, production',
    ],
  ])('%s', (ref, message, hint) => {
    expect(refusal(() => plan(ref))).toMatchObject({ code: 'unknown-secret', message, hint });
  });

  test.each([['collaboration/production/SMTP_PASSWORD', 'provider']])('%s has no runbook yet', (ref, kind) => {
    expect(refusal(() => plan(ref))).toMatchObject({
      code: 'no-runbook',
      message: `this version has no runbook for secrets of kind "${kind}" (${ref})`,
    });
  });
});

describe('a selector', () => {
  test('without an environment means all that have the secret, in rollout order', () => {
    const names = (selector: { system: string; environment?: string; secret: string }) =>
      expandSelector(inventory, selector).map(({ environment }) => environment);
    expect(names({ system: 'mgmt-vibe', secret: 'SESSION_SECRET' })).toEqual(['development', 'staging', 'production']);
    expect(names({ system: 'mgmt-vibe', secret: 'STRIPE_SECRET_KEY' })).toEqual(['staging', 'production']);
    expect(names({ system: 'mgmt-vibe', environment: 'staging', secret: 'SESSION_SECRET' })).toEqual(['staging']);
  });
});

describe('all slots', () => {
  test('are those of every secret of every kind in every environment', () => {
    const slots = slotsOf(inventory, {});
    expect(slots).toHaveLength(8 + (4 + 5 + 5) + 2 * 2 + 7 * 2 + 2);
    expect(slots).toContainEqual({
      ref: { system: 'mgmt-vibe', environment: 'staging', secret: 'DATABASE_URL' },
      slot: {
        store: { type: 'dotenv', file: `${ROOT}/environments/staging/.env` },
        key: 'DATABASE_URL',
        part: { url: 'password' },
        exposure: { style: 'single' },
      },
    });
  });

  test('leave out those on hosts whose settings this worker lacks', async () => {
    const loaded = await load(`
system: arena
stores: { here: { type: dotenv, file: .env }, there: { type: dotenv, file: '\${far}' } }
services: { app: { deploy: { type: command, argv: [./deploy] }, health: [health] } }
checks: { health: { type: http, url: 'http://localhost/' } }
settings: { far: { env: FAR_FILE } }
environments: [{ name: production, tier: production }]
secrets:
  A: { kind: session, store: here, services: [app] }
  B: { kind: session, store: there, services: [app] }
`);
    expect(slotsOf(loaded, {}).map(({ ref }) => ref.secret)).toEqual(['A']);
    expect(slotsOf(loaded, { FAR_FILE: '/srv/.env' }).map(({ slot }) => pathOf(slot.store))).toEqual([
      `${directory}/.env`,
      '/srv/.env',
    ]);
  });
});
