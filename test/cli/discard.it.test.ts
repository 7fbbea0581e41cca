/** `keyturn discard` destroys what nothing has ever used, or what a person takes on; it leaves the place as it is, and is recorded. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { Console } from '../../src/cli/console.js';
import { discard, type DiscardOptions } from '../../src/cli/discard.js';
import { rotationWorkflowId } from '../../src/domain/refs.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import type { Arrangement, SecretSlot, StagedBy } from '../../src/domain/slot.js';
import { namespaceOf } from '../../src/holder.js';
import type { LedgerRow } from '../../src/ledger/ledger.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { openStore } from '../../src/stores/open-store.js';
import { freshLedger } from '../support/ledgers.js';
import { freshTaskQueue, temporalClient } from '../support/servers.js';

const [OLD, NEW, BY_HAND] = ['old', 'new', 'hand'].map((word) => `${word}-value-of-this-test-0123456789`);
const EXPOSURE = { style: 'list', separator: ',' } as const;
const said: string[] = [];
let root: string;
let system: string;
let ledger: PostgresLedger;
let env: Record<string, string>;
let here: Pick<StagedBy, 'namespace' | 'namespaceId'>;
let client: Awaited<ReturnType<typeof temporalClient>>;

beforeAll(async () => {
  client = await temporalClient();
  const { name, id } = await namespaceOf(client)();
  here = { namespace: name, namespaceId: id };
  const { url } = await freshLedger('cli_discard');
  ledger = new PostgresLedger(url);
  vi.stubEnv('TEMPORAL_ADDRESS', inject('temporalAddress'));
  env = { KEYTURN_DATABASE_URL: url };
  root = await mkdtemp(join(tmpdir(), 'keyturn-discard-'));
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await ledger.close();
  await rm(root, { recursive: true, force: true });
});

beforeEach(async () => {
  said.length = 0;
  for (const name of await readdir(root)) await rm(join(root, name));
  system = freshTaskQueue('discards');
  const overlap = 'overlap: { style: list, tokenLifetime: 24h, skew: 5m }';
  const text = `system: ${system}
stores: { env: { type: dotenv, file: .env } }
services: { web: { deploy: { type: command, argv: ["true"] }, health: [well] } }
checks: { well: { type: command, argv: ["true"] } }
environments: [{ name: production, tier: production }]
secrets:
  SESSION_SECRET: { kind: session, store: env, services: [web], ${overlap} }
`;
  await writeFile(join(root, 'shop.yaml'), text);
  await edit(OLD);
});

const edit = (text = ''): Promise<void> => writeFile(join(root, '.env'), `SESSION_SECRET=${text}\n`);
const ref = () => ({ system, environment: 'production', secret: 'SESSION_SECRET' });

async function leave(by: Partial<StagedBy>, ...arrangements: Arrangement[]): Promise<void> {
  const slot: SecretSlot = {
    store: { type: 'dotenv', file: join(root, '.env') },
    key: 'SESSION_SECRET',
    exposure: EXPOSURE,
  };
  const store = openStore(slot.store, { fingerprint: createFingerprinter('k'.repeat(40)) });
  const stagedBy: StagedBy = { ...here, workflowId: rotationWorkflowId(ref()), reason: 'routine', ...by };
  await store.stage(slot, `run-of-${system}`, () => new SecretValue(NEW ?? ''), stagedBy);
  for (const arrangement of arrangements) await store.arrange(slot, `run-of-${system}`, arrangement);
}

const verb = (options: Partial<DiscardOptions> = {}): Promise<number> => {
  const console = new Console({ json: false, colour: false, env });
  const name = `${system}/production/SESSION_SECRET`;
  return discard({ console, env, cwd: root, inventory: root }, name, { as: 'ana@example.test', ...options });
};

const rows = (): Promise<LedgerRow[]> => ledger.list({ system });
const isLeft = async (): Promise<boolean> => (await readdir(root)).includes('.env.keyturn');

test('what was merely staged goes for the asking, whatever stands there by now, and a row says so', async () => {
  await leave({});
  await edit(BY_HAND);
  expect(await verb({ note: 'its run was terminated' })).toBe(0);
  expect(await isLeft()).toBe(false);
  expect(await readFile(join(root, '.env'), 'utf8')).toBe(`SESSION_SECRET=${BY_HAND}\n`);
  expect(await rows()).toMatchObject([
    {
      operator: 'ana@example.test',
      method: 'discard',
      outcome: 'stopped',
      nextDueAt: null,
      requestId: `run-of-${system}, discarded`,
    },
  ]);
  expect((await rows())[0]?.notes).toMatch(/nothing had been shown it.*its run was terminated/);
  await expect(verb()).rejects.toMatchObject({ code: 'nothing-staged' });
});

test('after an edit by hand of what had signed it takes a person to say so, and what they have put there stays', async () => {
  await leave({}, 'old, accept new', 'new, accept old');
  await edit(BY_HAND);
  await expect(verb()).rejects.toMatchObject({
    code: 'not-known',
    message: expect.stringMatching(
      /it had come to "new, accept old"; somebody has changed SESSION_SECRET by hand/,
    ) as string,
    hint: expect.stringContaining('both values of that run are destroyed') as string,
  });
  expect([await isLeft(), await rows()]).toEqual([true, []]);
  expect(await verb({ yes: true })).toBe(0);
  expect(await isLeft()).toBe(false);
  expect(await readFile(join(root, '.env'), 'utf8')).toBe(`SESSION_SECRET=${BY_HAND}\n`);
  expect((await rows())[0]?.notes).toContain(`on ana@example.test's word, though it had come to "new, accept old"`);
  expect(said.join('')).not.toMatch(new RegExp([OLD, NEW, BY_HAND].join('|')));
});

test('an encryption key is not discarded, also with --yes: rows may be under either; where nothing is left, that is said', async () => {
  const file = join(root, 'shop.yaml');
  const text = await readFile(file, 'utf8');
  const [before = ''] = text
    .replace('argv: ["true"] }, health', 'argv: ["true"], stop: ["true"] }, health')
    .split('secrets:');
  const encryption =
    'generator: fernet, encryption: { database: app, key: fernet, columns: [{ table: t, column: c }] }';
  await writeFile(
    file,
    `${before}databases: { app: { url: { env: SHOP_ADMIN } } }
secrets:
  SESSION_SECRET: { kind: encryption, store: env, services: [web], cadence: 180d, ${encryption} }
`,
  );
  await expect(verb()).rejects.toMatchObject({
    code: 'nothing-staged',
    message: `no run has left anything beside ${system}/production/SESSION_SECRET`,
  });
  await leave({});
  await expect(verb({ yes: true })).rejects.toMatchObject({
    code: 'no-runbook',
    message: expect.stringContaining('rows may be under either of the two') as string,
    hint: expect.stringContaining(` rotate ${system}/production/SESSION_SECRET --operator YOUR-NAME;`) as string,
  });
  expect(await isLeft()).toBe(true);
});

test('what a run can settle is left to it, also with --yes', async () => {
  await leave({}, 'new only');
  await expect(verb({ yes: true })).rejects.toMatchObject({ code: 'in-use' });
  expect([await isLeft(), await rows()]).toEqual([true, []]);
});

test('a run of another namespace may be alive: only a person can say that it is not', async () => {
  await leave({ namespaceId: 'of-another-server' });
  await expect(verb()).rejects.toMatchObject({
    code: 'not-known',
    hint: expect.stringContaining(`discard ${system}/production/SESSION_SECRET --as ana@example.test --yes`) as string,
  });
  await expect(verb({ as: '' })).rejects.toMatchObject({
    message: expect.stringContaining('--as: must name a person') as string,
  });
  expect(await verb({ yes: true })).toBe(0);
});

test('the value of a run that is under way is its own, also with --yes', async () => {
  await leave({});
  const workflowId = rotationWorkflowId(ref());
  const run = await client.workflow.start('rotateSessionSecret', { workflowId, taskQueue: system, args: [] });
  await expect(verb({ yes: true })).rejects.toMatchObject({ code: 'run-under-way' });
  expect(await isLeft()).toBe(true);
  await run.terminate();
});
