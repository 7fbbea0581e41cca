/** Readiness of a backup, and what a rotation is told about the backups of its secret: real stores, inventory, age. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeArchive, proveArchive } from '../../src/activities/backup/archive.js';
import { answerDemand, demandOf } from '../../src/activities/backup/demand.js';
import { findBackupsOf, resolveBackup } from '../../src/activities/backup/planning.js';
import { checkBackup } from '../../src/activities/backup/readiness.js';
import type { ActivityDeps } from '../../src/activities/deps.js';
import { createSealer } from '../../src/backups/seal.js';
import type { BackupPlan } from '../../src/domain/backup.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { loadInventory } from '../../src/inventory/load.js';
import { NO_LOCKS } from '../../src/service-locks.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { openStore } from '../../src/stores/open-store.js';

const running = new AbortController().signal;
const REQUEST = {
  system: 'arena',
  environment: 'production',
  operator: 'ana',
  requestId: 'run-00000001',
  at: '2026-11-21T00:00:00Z',
};
const KEY = 'fingerprint key of these tests, 32 characters';
const [fingerprint, seals] = [createFingerprinter(KEY), createSealer(KEY)];

let root: string;
let deps: ActivityDeps;
let identity: string;
let ledgerAnswers: boolean;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'keyturn-backup-activities-'));
  for (const directory of ['app', 'vault/key', 'vault/rest'])
    await mkdir(join(root, directory), { recursive: true, mode: 0o700 });
  await writeFile(join(root, 'app/.env'), 'KEY=the-key-of-this-test-with-32-characters\nSESSION=s\nCIPHER=c\nLONE=l\n');
  identity = await generateIdentity();
  ledgerAnswers = true;
  const backup = (name: string, secrets: string, to: string): string =>
    `  ${name}: { secrets: ${secrets}, to: { directory: '${to}' }, format: age, recipients: [RECIPIENT], proof: { identity: { env: IDENTITY } } }\n`;
  const secret = (name: string, kind: string, critical: boolean): string =>
    `  ${name}: { kind: ${kind}, store: env, services: [app], critical: ${critical} }\n`;
  const yaml = `system: arena
settings: { far: { env: FAR, default: ${root}/vault/far } }
stores: { env: { type: dotenv, file: app/.env } }
services: { app: { deploy: { type: command, argv: ['true'] }, health: [alive] } }
checks: { alive: { type: command, argv: ['true'], passes: 1, every: 100ms, within: 5s } }
environments: [{ name: production, tier: production }]
backups:
${backup('key', 'KEY', 'vault/key')}${backup('rest', '[SESSION, LONE]', 'vault/rest')}${backup('cipher', 'CIPHER', '${far}')}secrets:
${secret('KEY', 'signing', true)}${secret('SESSION', 'session', false)}${secret('CIPHER', 'token', true)}${secret('LONE', 'token', false)}`;
  await writeFile(join(root, 'arena.yaml'), yaml.replaceAll('RECIPIENT', await identityToRecipient(identity)));
  deps = {
    loadInventory: () => loadInventory(join(root, 'arena.yaml')),
    variables: { IDENTITY: identity, KEYTURN_FINGERPRINT_KEY: 'as the worker has it' },
    fingerprint,
    seals,
    ledger: {
      inspect: () =>
        ledgerAnswers ? Promise.resolve([]) : Promise.reject(new KeyturnError('ledger-unavailable', 'nobody answers')),
    } as ActivityDeps['ledger'],
    findHolder: () => Promise.resolve(null),
    worker: 'a worker',
    namespace: () => Promise.reject(new Error('nothing is staged here by a run')),
    serviceLocks: NO_LOCKS,
    log: () => undefined,
  };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const planOf = (backup: string, changes: Partial<ActivityDeps> = {}): Promise<BackupPlan> =>
  resolveBackup({ ...REQUEST, backup }, { ...deps, ...changes });

async function problemsOf(plan: BackupPlan, changes: Partial<ActivityDeps> = {}): Promise<string> {
  const error: unknown = await checkBackup(plan, { ...deps, ...changes }, running).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'not-ready', effect: 'none', retryable: false });
  return (error as KeyturnError).message;
}

describe('before an archive is made', () => {
  it('everything is asked, and nothing is written', async () => {
    const { summary } = await checkBackup(await planOf('key'), deps, running);
    expect(summary).toMatch(
      /vault\/key can be written; apart from other .*; age, 1 recipient, .*; KEY has a value; the ledger is reachable/,
    );
  });

  it('all problems are told at once', async () => {
    ledgerAnswers = false;
    const plan = { ...(await planOf('rest')), directory: join(root, 'not-mounted') };
    await writeFile(join(root, 'app/.env'), 'KEY=k\n');
    const told = await problemsOf(plan, { variables: {} });
    expect(told).toContain('destination: there is no directory');
    expect(told).toContain('encryption: the worker has no variable IDENTITY');
    expect(told).toContain('arena/production/SESSION: ');
    expect(told).toContain('arena/production/LONE: ');
    expect(told).toContain('ledger: nobody answers');
  });

  it('a setting of this worker that leads beside another critical secret, or into the store, is refused', async () => {
    for (const [far, expected] of [
      [join(root, 'vault/key'), 'arena/production/CIPHER would lie beside arena/production/KEY'],
      [join(root, 'app'), 'it would lie in the directory of the store of arena/production'],
    ] as const) {
      const variables = { ...deps.variables, FAR: far };
      expect(await problemsOf(await planOf('cipher', { variables }), { variables })).toContain(
        `its place: ${expected}`,
      );
    }
  });

  it('others who may write there are noted', async () => {
    await chmod(join(root, 'vault/key'), 0o777);
    expect((await checkBackup(await planOf('key'), deps, running)).summary).toContain('others may write there too');
  });

  it('an identity of somebody else is refused: no restore could be proven', async () => {
    const variables = { IDENTITY: await generateIdentity() };
    expect(await problemsOf(await planOf('key'), { variables })).toContain('belongs to none of the recipients');
  });
});

describe('what a rotation is told', () => {
  const ref = (secret: string): { system: string; environment: string; secret: string } => ({
    system: 'arena',
    environment: 'production',
    secret,
  });
  const current = fingerprint(new SecretValue('the-key-of-this-test-with-32-characters')).fingerprint;
  const answer = async (
    secret: string,
    more: { kind?: 'encryption'; settling?: boolean; fingerprint?: string } = {},
  ): Promise<unknown> => {
    const demand = await demandOf(ref(secret), deps);
    if (!demand) return null;
    const { settling = false, fingerprint: wanted = current, kind = demand.kind } = more;
    return answerDemand(ref(secret), { ...demand, kind }, { fingerprint: wanted, settling, deps }).catch(
      (error: unknown) => error,
    );
  };

  it('nothing, of a secret that is not critical or not in the inventory any more', async () => {
    expect(await answer('SESSION')).toBe(null);
    expect(await answer('GONE')).toBe(null);
  });

  it('a warning without a backup; of an encryption key an error, unless a dead run is gone on from', async () => {
    const warning = expect.stringMatching(
      /^no backup of arena\/production\/KEY in .*\(make one: keyturn backup arena\/production\/key --operator YOUR-NAME --wait\)$/,
    ) as string;
    expect(await answer('KEY')).toEqual({ warning });
    expect(await answer('KEY', { kind: 'encryption' })).toMatchObject({
      code: 'backup-missing',
      hint: 'make one: keyturn backup arena/production/key --operator YOUR-NAME --wait',
    });
    expect(await answer('KEY', { kind: 'encryption', settling: true })).toEqual({ warning });
  });

  it('that there is one once it is proven, and not before; and not of another value', async () => {
    const plan = await planOf('key');
    await makeArchive(plan, deps, running);
    expect(await answer('KEY')).toEqual({ warning: expect.stringContaining('never proven') as string });
    const evidence = await proveArchive(plan, deps, running);
    expect(evidence.summary).toBe('read back and decrypted: 1 value is what its store holds');
    expect(await answer('KEY', { kind: 'encryption' })).toMatch(
      /vault\/key\/arena--production--key--.*\.age, proven \d+m?s? ago/,
    );
    expect(await answer('KEY', { fingerprint: '0'.repeat(32) })).toEqual({
      warning: expect.stringContaining('another value') as string,
    });
  });

  it('that an encryption key which is critical has no backup described', async () => {
    const demand = { critical: true, kind: 'encryption' as const, places: [] };
    const { warning } = (await answerDemand(ref('KEY'), demand, { fingerprint: current, settling: false, deps })) as {
      warning: string;
    };
    expect(warning).toContain('the inventory describes no backup of it');
  });

  it('which backups hold the secret, for a run that makes one of its own', async () => {
    expect(await findBackupsOf(ref('LONE'), deps)).toEqual([
      { system: 'arena', environment: 'production', backup: 'rest' },
    ]);
    const { backup } = (await findBackupsOf(ref('KEY'), deps))[0]!;
    const plan = await resolveBackup({ ...REQUEST, backup, versions: ['pending'] }, deps);
    await expect(makeArchive(plan, deps, running)).rejects.toMatchObject({
      message: 'there is no pending value to back up',
    });
    const { slot } = plan.secrets[0]!;
    await openStore(slot.store, deps).stage(
      slot,
      'rotation-1',
      () => new SecretValue('a staged key of this test, 32+ characters'),
    );
    expect((await makeArchive(plan, deps, running)).summary).toMatch(
      / holds arena\/production\/KEY pending [0-9a-f]{12}$/,
    );
  });
});
