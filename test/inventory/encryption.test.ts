import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { foreseenSteps } from '../../src/runbooks/index.js';
import type { RotationPlan } from '../../src/domain/plan.js';
import { loadInventory } from '../../src/inventory/load.js';
import { InventoryError } from '../../src/inventory/problems.js';
import { planRecovery } from '../../src/inventory/recovery.js';
import { resolvePlan } from '../../src/inventory/resolve.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-encryption-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const inventory = (secret: string, kind: string): string => `system: shop
settings: { table: credentials }
stores: { env: { type: dotenv, file: '.env' } }
databases: { app: { url: { env: SHOP_ADMIN }, nodes: { replica: 'db2:5433' } } }
services: { app: { deploy: { type: command, argv: [./deploy], stop: [./stop] }, health: [health] } }
checks: { health: { type: http, url: http://localhost/health } }
environments:
  - { name: development, tier: development, stores: { env: { type: dotenv, file: .env.development } } }
  - { name: production, tier: production }
secrets:
  ENCRYPTION_KEY: { kind: ${kind}, store: env, services: [app], cadence: 180d, ${secret} }
`;

interface Options {
  readonly environment?: string;
  readonly reason?: RotationPlan['reason'];
  readonly kind?: string;
}

async function planOf(secret: string, options: Options = {}): Promise<RotationPlan> {
  const { environment = 'production', reason = 'routine', kind = 'encryption' } = options;
  await writeFile(join(directory, 'shop.yaml'), inventory(secret, kind));
  return resolvePlan(await loadInventory(directory), {
    ref: { system: 'shop', environment, secret: 'ENCRYPTION_KEY' },
    operator: 'ana',
    reason,
    requestId: 'run-1',
    note: null,
    variables: {},
  });
}

async function problems(secret: string, kind?: string): Promise<string[]> {
  const error: unknown = await planOf(secret, kind === undefined ? {} : { kind }).catch((reason: unknown) => reason);
  if (!(error instanceof InventoryError)) throw error;
  return error.problems.map(({ path, message, hint }) => `${path}: ${message} (${hint ?? ''})`);
}

const keys = (plan: RotationPlan): string[] => foreseenSteps(plan).map(({ key }) => key);

const FERNET = 'generator: fernet, encryption: { database: app, key: fernet';
const COLUMNS = "columns: [{ table: '${table}', column: value }]";

test('a Fernet key needs its columns only: all rows in one transaction, the services stopped', async () => {
  const { encryption, method, slot, approval, overlap } = await planOf(`${FERNET}, ${COLUMNS} }`);
  expect(encryption).toEqual({
    mode: 'atomic',
    server: {
      administrator: { env: 'SHOP_ADMIN' },
      database: null,
      replicas: [{ name: 'replica', host: 'db2', port: 5433 }],
    },
    key: 'fernet',
    columns: [{ table: 'credentials', column: 'value', path: null, format: { cipher: 'fernet' }, where: null }],
    throttle: { maxLag: '10s', maxActive: 64, rest: 0 },
    parallel: 1,
    backups: [],
    disposable: [],
    search: { beforehand: '1m', atTheEnd: '1h' },
  });
  expect({ method, overlap, exposure: slot.exposure }).toEqual({
    method: 're-encrypt (atomic)',
    overlap: null,
    exposure: { style: 'single' },
  });
  expect(approval.gates).toEqual(['retire']);
});

test('on a developer’s machine nobody is asked', async () => {
  expect((await planOf(`${FERNET}, ${COLUMNS} }`, { environment: 'development' })).approval.gates).toEqual([]);
});

test('atomic: the services stand still while the rows change', async () => {
  const plan = await planOf(`maintenanceWindow: { opens: '0 3 * * 6', stays: 1h }, ${FERNET}, ${COLUMNS} }`);
  const steps = [
    'prepare',
    'stage',
    'window',
    'stop',
    'reencrypt',
    'switch',
    'approve-retire',
    'prove',
    'forget',
    'record',
  ];
  expect(keys(plan)).toEqual(steps);
  expect(plan.decisions).toContain('app are stopped while all rows are re-encrypted in one transaction');
});

const ONLINE = `${FERNET}, mode: online, bothKeys: { style: previous, variable: ENCRYPTION_KEY_PREVIOUS }, ${COLUMNS} }`;

test('online: the services get both keys, and lose the old one once no row needs it', async () => {
  const plan = await planOf(ONLINE);
  expect(keys(plan)).toEqual([
    ...['prepare', 'stage', 'accept', 'sign', 'reencrypt', 'verify-rows', 'approve-retire'],
    ...['sweep', 'retire', 'sweep-again', 'prove', 'forget', 'record'],
  ]);
  expect(plan.slot.exposure).toEqual({ style: 'previous', variable: 'ENCRYPTION_KEY_PREVIOUS' });
});

test('a leaked key is rotated at once, but not without reading what is under it', async () => {
  const window = "maintenanceWindow: { opens: '0 3 * * 6', stays: 1h }";
  const plan = await planOf(`${window}, ${ONLINE}`, { reason: 'leak' });
  expect(plan.window).toBeNull();
  expect(keys(plan)).toContain('accept');
});

describe('AES-256-GCM', () => {
  const gcm = (format: string, key = 'hex'): string =>
    `encryption: { database: app, key: ${key}, format: { cipher: aes-256-gcm ${format} }, ${COLUMNS} }`;

  test('without more words: iv, tag, ciphertext, packed, hex', async () => {
    expect((await planOf(gcm(''))).encryption?.columns[0]?.format).toEqual({
      cipher: 'aes-256-gcm',
      layout: ['iv', 'tag', 'ciphertext'],
      encoding: 'hex',
      prefix: '',
      ivLength: 12,
    });
  });

  test('what is known only with the row or the key stays to be filled in', async () => {
    const format = ", prefix: '${key.id}:', associatedData: '${table}:${row.id}', separator: ':'";
    expect((await planOf(gcm(format))).encryption?.columns[0]?.format).toMatchObject({
      prefix: '${key.id}:',
      associatedData: 'credentials:${row.id}',
      separator: ':',
    });
  });

  test('a derived key may come from any text', async () => {
    const { encryption } = await planOf(gcm('', '{ derive: scrypt, salt: salt }'));
    expect(encryption?.key).toEqual({
      derive: 'scrypt',
      of: 'text',
      salt: 'salt',
      cost: 16_384,
      blockSize: 8,
      parallelization: 1,
    });
  });

  test.each([
    [gcm(", prefix: '${row.id}'"), '${row.id} has no value here'],
    [gcm(", associatedData: '${key.id}'"), '${key.id} has no value here'],
    [gcm(', layout: [iv, iv, tag]'), 'must name iv, tag and ciphertext, each once'],
    [gcm(', ivLength: 8'), '12'],
    [gcm('', 'fernet'), 'values of aes-256-gcm are not made with a key that is read as fernet'],
    [gcm('', 'raw'), 'the generator hex:32 does not make what the application reads as a 32-byte key (raw)'],
    [gcm(', encoding: binary').replace('column: value', 'column: value, path: [a]'), 'a JSON document holds text'],
  ])('%s is refused', async (secret, message) => {
    expect((await problems(secret)).join('\n')).toContain(message);
  });
});

test.each([
  [`${FERNET.replace('app', 'ap')}, ${COLUMNS} }`, 'unknown database "ap" (did you mean "app"?)'],
  [`${FERNET} }`, 'needs the columns that the key protects'],
  [
    'encryption: { key: hex, format: { cipher: aes-256-gcm }, columns: [{ table: t, column: c }] }',
    'needs the database whose columns the key protects',
  ],
  [`encryption: { database: app, ${COLUMNS} }`, 'needs to say how the application reads its key'],
  [
    `encryption: { database: app, key: fernet, ${COLUMNS} }`,
    'the generator hex:32 does not make what the application reads as a 32-byte key (fernet)',
  ],
  [`encryption: { database: app, key: hex, ${COLUMNS} }`, 'needs a format'],
  [`${FERNET}, mode: online, ${COLUMNS} }`, 'mode online needs the application to take two keys at once'],
  [
    `${FERNET}, mode: online, bothKeys: { style: previous, variable: ENCRYPTION_KEY }, ${COLUMNS} }`,
    '"ENCRYPTION_KEY" is the variable of the new key too',
  ],
  [`${FERNET}, mode: online, bothKeys: { style: list, separator: '-' }, ${COLUMNS} }`, 'can contain the separator "-"'],
  [`${FERNET}, columns: [{ table: t, column: c }, { table: t, column: c }] }`, 't.c is named twice'],
  [`${FERNET}, columns: [{ table: a.b.c, column: c }] }`, 'must be a table or schema.table'],
  [
    `overlap: { style: list, tokenLifetime: 1h }, ${FERNET}, ${COLUMNS} }`,
    'a secret of kind encryption has no overlap',
  ],
])('%s is refused', async (secret, message) => {
  expect((await problems(secret)).join('\n')).toContain(message);
});

test('only an encryption key protects columns', async () => {
  expect((await problems(`${FERNET}, ${COLUMNS} }`, 'token')).join('\n')).toContain(
    'a secret of kind token protects no columns',
  );
});

test('a key of which nothing is said has no runbook', async () => {
  await expect(planOf('minimumLength: 32')).rejects.toMatchObject({
    code: 'no-runbook',
    message: 'shop/production/ENCRYPTION_KEY does not say which columns the key protects',
  });
});

describe('when the key is lost', () => {
  const of = (recovery: string): string => `${FERNET}, ${COLUMNS}, recovery: ${recovery} }`;

  async function recoveryOf(secret: string): Promise<RotationPlan> {
    const plan = await planOf(secret);
    const offered = { offered: ['/a.age'], identity: { env: 'ID' }, passphrase: null, variables: {} };
    return planRecovery(await loadInventory(directory), plan, offered);
  }

  test('nothing need be said beforehand', async () => {
    const plan = await recoveryOf(`maintenanceWindow: { opens: '0 3 * * 6', stays: 1h }, ${FERNET}, ${COLUMNS} }`);
    expect(plan).toMatchObject({ method: 'recover lost key', window: null });
    expect(plan.recovery).toEqual({
      ...{ unreadable: 'quarantine', label: [], enable: [], watchEvery: '30s', offered: ['/a.age'], folders: [] },
      ...{ identity: { env: 'ID' }, passphrase: null },
    });
    expect(keys(plan)).toEqual([
      ...['prepare', 'approve-recover', 'stage', 'stop', 'recover', 'switch', 'sweep-again', 'reenter'],
      ...['prove', 'forget', 'record'],
    ]);
    expect(plan.decisions).toContain('no maintenance window is waited for: who approves decides when');
  });

  test('what tells rows apart, and what is switched on again', async () => {
    const plan = await recoveryOf(of('{ label: [platform], enable: [health], watchEvery: 5m, folders: [old] }'));
    expect(plan.recovery).toMatchObject({ label: ['platform'], watchEvery: '5m', enable: [{ name: 'health' }] });
    // Beside the file of the system.
    expect(plan.recovery?.folders).toEqual([join(directory, 'old')]);
    expect(keys(plan)).toContain('enable');
    expect(plan.digest).not.toBe((await planOf(of('{ label: [platform], enable: [health] }'))).digest);
  });

  test('rows that are truncated: destroyed as a step of its own, after the proof and before the old key', async () => {
    const [plan, kept] = [await recoveryOf(of('{ unreadable: truncate }')), await recoveryOf(of('{}'))];
    expect(plan.recovery?.unreadable).toBe('truncate');
    expect(keys(plan).slice(-4)).toEqual(['prove', 'destroy', 'forget', 'record']);
    expect(plan.decisions[0]).toMatch(/the rest goes into quarantine, which is destroyed at the end$/);
    expect(plan.digest).not.toBe(kept.digest);
  });

  test.each([
    ['{ unreadable: clear }', /recovery.unreadable: "clear" is not possible here \(one of: quarantine, truncate\)/],
    ['{ enable: [healt] }', /recovery\.enable\[0\]: unknown check "healt" \(.*health/],
    ['{ label: [platform, value] }', /recovery\.label\[1\]: "value" is encrypted: it tells nobody which row it is/],
    ['{ lable: [platform] }', /lable/],
  ])('%s is refused', async (recovery, message) => {
    expect((await problems(of(recovery))).join()).toMatch(message);
  });
});

test('where, disposable places and how long the key is tried elsewhere are taken over; what is encrypted is no flag', async () => {
  const { encryption } = await planOf(
    `${FERNET}, columns: [{ table: '\${table}', column: value, where: { sealed: true, version: [1, v2], gone: null } }],
     disposable: [{ table: audit, column: doc }], search: { atTheEnd: 3h } }`,
  );
  expect(encryption).toMatchObject({
    columns: [{ where: { sealed: true, version: [1, 'v2'], gone: null } }],
    disposable: [{ table: 'audit', column: 'doc' }],
    search: { beforehand: '1m', atTheEnd: '3h' },
  });
  expect(await problems(`${FERNET}, columns: [{ table: a, column: value, where: { value: x } }] }`)).toEqual([
    'secrets.ENCRYPTION_KEY.encryption.columns[0].where.value: "value" is what is encrypted: it does not say which rows are (name the column that does, such as a flag)',
  ]);
  expect(await problems(`${FERNET}, columns: [{ table: a, column: value, where: {} }] }`)).toHaveLength(1);
});
