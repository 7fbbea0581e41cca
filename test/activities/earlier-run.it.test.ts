/** What an earlier run left is settled only where it is known that the run is over, and what services were deployed with. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { ActivityDeps } from '../../src/activities/deps.js';
import { planRotation } from '../../src/activities/planning.js';
import { assessReadiness } from '../../src/activities/readiness.js';
import { arrangeSecret, discardSecret, stageSecret } from '../../src/activities/secrets.js';
import type { Reason } from '../../src/domain/reason.js';
import { rotationWorkflowId } from '../../src/domain/refs.js';
import type { Arrangement } from '../../src/domain/slot.js';
import { findHolder, namespaceOf } from '../../src/holder.js';
import { loadInventory } from '../../src/inventory/load.js';
import { createSealer } from '../../src/backups/seal.js';
import { createFingerprinter } from '../../src/stores/fingerprint.js';
import { freshTaskQueue, temporalClient } from '../support/servers.js';

const ref = { system: 'shop', environment: 'production', secret: 'SESSION_SECRET' };
const { signal } = new AbortController();
let here: Client;
let elsewhere: Client;
let root: string;

beforeAll(async () => {
  here = await temporalClient();
  const namespace = freshTaskQueue('other-namespace');
  await here.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  elsewhere = new Client({ connection: here.connection, namespace });
  // A new namespace is known everywhere only after a moment.
  await vi.waitFor(() => namespaceOf(elsewhere)(), { timeout: 20_000 });
}, 30_000);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'keyturn-earlier-'));
  await edit('the-old-value-of-this-secret-0123456789');
  const inventory = `system: shop
stores: { env: { type: dotenv, file: .env } }
services: { web: { deploy: { type: command, argv: ["true"] }, health: [well] } }
checks: { well: { type: command, argv: ["true"], passes: 1, every: 100ms } }
environments: [{ name: production, tier: production }]
secrets:
  SESSION_SECRET:
    kind: session
    store: env
    services: [web]
    overlap: { style: list, tokenLifetime: 24h, skew: 5m }
`;
  await writeFile(join(root, 'shop.yaml'), inventory);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const edit = (text: string): Promise<void> => writeFile(join(root, '.env'), `SESSION_SECRET=${text}\n`);

const depsAt = (client: Client): ActivityDeps => ({
  worker: 'a worker',
  loadInventory: () => loadInventory(root),
  variables: {},
  fingerprint: createFingerprinter('k'.repeat(40)),
  seals: createSealer('k'.repeat(40)),
  ledger: { inspect: () => Promise.resolve([]) } as unknown as ActivityDeps['ledger'],
  findHolder: (workflowId) => findHolder(client, workflowId),
  namespace: namespaceOf(client),
  serviceLocks: { look: () => Promise.resolve([]) } as never,
  log: () => undefined,
});

const planOf = () =>
  planRotation({ ...ref, operator: 'ana@example.test', reason: 'routine', requestId: 'this-run' }, depsAt(here));

/** As a run that was ended there has left it. */
async function leave(client: Client, workflowId: string, ...arrangements: readonly Arrangement[]): Promise<void> {
  await leaveAfter('routine', client, workflowId, ...arrangements);
}

async function leaveAfter(
  reason: Reason,
  client: Client,
  workflowId: string,
  ...arrangements: readonly Arrangement[]
): Promise<void> {
  const { slot, generator, minimumLength } = await planOf();
  const hold = { slot, rotation: 'earlier-run' };
  const deps = depsAt(client);
  await stageSecret({ ...hold, ref, generator, minimumLength, reason }, deps, { workflowId });
  for (const arrangement of arrangements) await arrangeSecret({ ...hold, arrangement }, deps, { sinceFirstAttempt: 0 });
}

async function asked(deps = depsAt(here)) {
  const { lines, leftBehind } = await assessReadiness(await planOf(), deps, { signal, flows: false });
  return { leftBehind, ...lines.find(({ question }) => question === 'earlier runs') };
}

test.each([
  ['routine', false],
  ['leaver', false],
  ['leak', true],
  ['suspicion', true],
] as const)(
  'of a run for a reason of %s it is known whether others may have what it replaces: %s',
  async (reason, exposed) => {
    await leaveAfter(reason, here, rotationWorkflowId(ref), 'new only');
    expect((await asked()).leftBehind).toMatchObject({ exposed });
  },
);

test('a run under the same id in the same namespace is over, for this run has its lock', async () => {
  await leave(here, rotationWorkflowId(ref));
  expect(await asked()).toMatchObject({
    state: 'warning',
    leftBehind: { rotation: 'earlier-run', reached: 'old only' },
  });
});

test('a run of another namespace is not known to be over: the new one stops, and says whose it is', async () => {
  await leave(elsewhere, rotationWorkflowId(ref));
  const { state, answer } = await asked();
  expect(state).toBe('problem');
  expect(answer).toContain(
    `run earlier-run of rotate:shop/production/SESSION_SECRET in the Temporal namespace "${elsewhere.options.namespace}"`,
  );
  expect(answer).toContain('whether it is over cannot be known here');
  // Said by a person, the next run settles it.
  expect(answer).toContain(`"namespaceId": "${(await namespaceOf(here)()).id}"`);
  expect(answer).toContain('let it come to its end where it runs; if it is gone for good, keyturn discard shop/');
  // Its own namespace knows.
  expect((await asked(depsAt(elsewhere))).state).toBe('warning');
});

test('a namespace of the same name with another id is another server, or one that has lost its state', async () => {
  await leave(elsewhere, rotationWorkflowId(ref));
  const lost = { ...(await namespaceOf(here)()), name: elsewhere.options.namespace };
  const { answer } = await asked({ ...depsAt(here), namespace: () => Promise.resolve(lost) });
  expect(answer).toContain('if it was keyturn up with --state DIR, start it with the same --state');
});

test('nor is one of which nothing stands beside the value', async () => {
  await leave(here, rotationWorkflowId(ref));
  const sidecar = join(root, '.env.keyturn');
  await writeFile(sidecar, (await readFile(sidecar, 'utf8')).replace(/"stagedBy": \{[^}]*\}/, '"stagedBy": null'), {
    mode: 0o600,
  });
  expect(await asked()).toMatchObject({
    state: 'problem',
    answer: expect.stringContaining('it is not known in which Temporal namespace') as string,
  });
});

test('a run that rotates the same place under another name is asked for', async () => {
  const workflowId = `rotate:shop/production/${freshTaskQueue('NAMED_BEFORE')}`;
  await leave(here, workflowId);
  const run = await here.workflow.start('rotateSessionSecret', {
    workflowId,
    taskQueue: freshTaskQueue('nobody'),
    args: [],
  });
  expect(await asked()).toMatchObject({
    state: 'problem',
    answer: expect.stringContaining('it is under way') as string,
  });
  await run.terminate();
  expect((await asked()).state).toBe('warning');
});

test.each<[string, Arrangement[]]>([
  ['new, accept old', ['old, accept new', 'new, accept old']],
  ['old, accept new', ['old, accept new']],
  ['new, accept old', ['old, accept new', 'new, accept old', 'old only']],
])(
  'after an edit by hand of what had come to "%s" nothing is settled, and nothing discarded',
  async (reached, arrangements) => {
    await leave(here, rotationWorkflowId(ref), ...arrangements);
    await edit('a-value-by-hand-0123456789-0123456789');
    const { state, answer } = await asked();
    expect(state).toBe('problem');
    expect(answer).toContain(`somebody changed SESSION_SECRET by hand after run earlier-run had come to "${reached}"`);
    const { slot } = await planOf();
    await expect(discardSecret({ slot, rotation: 'earlier-run' }, depsAt(here))).rejects.toMatchObject({
      code: 'changed-meanwhile',
      effect: 'none',
    });
  },
);

test('a value that was never shown may go, whatever a person has put in the place of the old one', async () => {
  await leave(here, rotationWorkflowId(ref));
  await edit('a-value-by-hand-0123456789-0123456789');
  expect(await asked()).toMatchObject({ state: 'warning', leftBehind: { reached: 'old only' } });
});

test('the old value put back by hand hides nothing of how far the run had come', async () => {
  await leave(here, rotationWorkflowId(ref), 'old, accept new', 'new, accept old');
  await edit('the-old-value-of-this-secret-0123456789');
  expect((await asked()).leftBehind).toMatchObject({ arrangement: 'old only', reached: 'new, accept old' });
});
