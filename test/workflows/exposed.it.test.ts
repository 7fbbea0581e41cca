/**
 * What others may have never comes back because something beside it failed, in any runbook: only a service that cannot run on the new
 * value is a reason, and then that is the first thing a person reads.
 */
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CancelledFailure, type ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, it, type ExpectStatic } from 'vitest';
import type { PlannedEncryption, PlannedSwap } from '../../src/domain/plan.js';
import type { RotationReport } from '../../src/domain/report.js';
import { search, throttle } from '../../src/domain/specs/encryption.js';
import { approvalSpec } from '../../src/domain/specs/policy.js';

import { openAnyRunbook, type AnyActivity, type AnyRun, type AnyStart } from './support/any-runbook.js';
import { openHarness, type Harness } from './support/harness.js';
import { failWith, untilCancelled } from './support/world.js';

let harness: Harness;
let start: (given: AnyStart) => Promise<AnyRun>;
beforeAll(async () => {
  harness = await openHarness();
  start = await openAnyRunbook(harness);
});
afterAll(() => harness.close());

const server = { administrator: { env: 'ADMIN' }, database: null, replicas: [] };
const swap: PlannedSwap = {
  strategy: 'copy',
  server,
  shape: { in: 'url' },
  newRole: 'shop_1',
  group: null,
  delay: '0s',
  watchEvery: '1s',
  observe: '0s',
  probe: null,
};
const encryption: PlannedEncryption = {
  mode: 'atomic',
  server,
  key: 'hex',
  columns: [{ table: 't', column: 'c', path: null, where: null, format: { cipher: 'fernet' } }],
  throttle: throttle.parse({}),
  parallel: 1,
  backups: [],
  disposable: [],
  search: search.parse({}),
};

const plain = { overlap: null, approval: approvalSpec.parse({}), watch: '0s' };

interface Runbook {
  readonly name: string;
  readonly type: string;
  readonly changes: AnyStart['changes'];
  /** Shows the application the new value. */
  readonly shows: string;
  /** What may fail beside the change: the run goes through to its end all the same. */
  readonly beside: readonly AnyActivity[];
  /** What may not: the run stops there, and goes nowhere. */
  readonly stops: readonly AnyActivity[];
}

const looking = ['runChecks', 'watchMonitors'] as const;
const RUNBOOKS: readonly Runbook[] = [
  {
    name: 'session',
    type: 'rotateSessionSecret',
    changes: plain,
    shows: 'arrangeSecret new only',
    beside: ['revokeSessions', ...looking],
    stops: ['proveOldRefused', 'forgetPrevious'],
  },
  {
    name: 'swap',
    type: 'swapDatabaseCredential',
    changes: { ...plain, kind: 'database', swap },
    shows: 'arrangeSecret new only',
    beside: looking,
    stops: ['disableOldRole', 'terminateOldSessions', 'recompareRights', 'dropOldRole', 'proveOldLoginRefused'],
  },
  {
    name: 'password in place',
    type: 'swapDatabaseCredential',
    changes: { ...plain, kind: 'database', swap: { ...swap, strategy: 'same-role', newRole: null } },
    shows: 'arrangeSecret new only',
    beside: looking,
    stops: ['terminateOldSessions', 'proveOldLoginRefused'],
  },
  {
    name: 'encryption, atomic',
    type: 'rotateEncryptionKey',
    changes: { ...plain, kind: 'encryption', encryption },
    shows: 'arrangeSecret new only',
    beside: looking,
    stops: ['proveOldKeyUnused'],
  },
  {
    name: 'encryption, online',
    type: 'rotateEncryptionKey',
    changes: { ...plain, kind: 'encryption', encryption: { ...encryption, mode: 'online' } },
    shows: 'arrangeSecret new, accept old',
    beside: looking,
    stops: ['reencryptRows', 'readRows', 'proveOldKeyUnused'],
  },
];

const GOES_BACK = /arrangeSecret old|discard|removeNewRole|restoreOldRole|changePassword old/;

/** @param shows from this call on. */
function back({ calls }: AnyRun, shows: string, expect: ExpectStatic): string[] {
  expect(calls).toContain(shows);
  return calls.slice(calls.indexOf(shows)).filter((call) => GOES_BACK.test(call));
}

async function failureOf({ handle }: AnyRun): Promise<ApplicationFailure> {
  const error: unknown = await handle.result().catch((reason: unknown) => reason);
  if (!(error instanceof WorkflowFailedError)) throw new Error(`it ended otherwise: ${JSON.stringify(error)}`);
  return error.cause as ApplicationFailure;
}

async function failed(runbook: Runbook, activity: AnyActivity, reason: string) {
  const { type, changes } = runbook;
  const run = await start({ type, reason, ...(changes && { changes }), fault: { activity, act: failWith('none') } });
  const failure = await failureOf(run);
  return { run, failure, report: failure.details?.[0] as RotationReport };
}

describe.each(RUNBOOKS)('$name', (runbook) => {
  const { type, changes, shows, beside, stops } = runbook;
  const cases = beside.flatMap((activity, index) =>
    (index === 0 ? (['leak', 'suspicion'] as const) : (['leak'] as const)).map((reason) => [reason, activity] as const),
  );

  it.concurrent.for(cases)(
    '%s: %s fails beside the change: the run goes through, and ends with a list',
    async ([reason, activity], { expect }) => {
      const { run, failure, report } = await failed(runbook, activity, reason);
      expect(back(run, shows, expect)).toEqual([]);
      expect(run.calls).toContain('forgetPrevious');
      expect(failure.type).toBe('stopped');
      expect(report).toMatchObject({
        outcome: 'stopped',
        todo: [expect.stringContaining('failed: the world said no')],
      });
      expect(report.steps.filter(({ state }) => state === 'undone' || state === 'skipped')).toEqual([]);
    },
  );

  it.concurrent.for([...stops, 'recordRotation'] as const)(
    'leak: %s fails: the run stops there with a list, and takes nothing back',
    async (activity, { expect }) => {
      const { run, failure, report } = await failed(runbook, activity, 'leak');
      expect(back(run, shows, expect)).toEqual([]);
      expect(failure.type).toBe('stopped');
      expect(report.todo.join()).toContain('the world said no');
    },
  );

  it.concurrent(
    'leak: a service that cannot run on the new value is a reason to go back, said first',
    async ({ expect }) => {
      let deploys = 0;
      const fails = failWith('applied', 'web is not healthy');
      const act = (): void => {
        deploys += 1;
        if (deploys === 1) fails();
      };
      const run = await start({
        type,
        reason: 'leak',
        ...(changes && { changes }),
        fault: { activity: 'deployService', act },
      });
      const failure = await failureOf(run);
      expect(failure.type).toBe('rolled-back');
      expect(failure.message).toMatch(/^the leaked value serves again; "/);
      expect((failure.details?.[0] as RotationReport).todo[0]).toMatch(/^the leaked value serves again/);
    },
  );

  if (type !== 'rotateSessionSecret')
    it.concurrent.for(['old only', 'new only'])(
      'leak: what a terminated run had come to ("%s") is finished, and its value, older than the report, is replaced in its turn',
      async (arrangement, { expect }) => {
        const leftBehind = { rotation: 'dead-run', arrangement, reached: arrangement };
        const run = await start({ type, reason: 'leak', leftBehind, ...(changes && { changes }) });
        expect(await run.handle.result()).toMatchObject({ outcome: 'completed', todo: [] });
        expect(run.calls.filter((call) => /^stage/.test(call))).toHaveLength(2);
        expect(run.calls.filter((call) => call === 'forgetPrevious')).toHaveLength(2);
        expect(run.calls.filter((call) => call === 'recordRotation')).toHaveLength(2);
        expect(run.notes[0]).toContain(
          'went on with the value of run dead-run, which is older than the report of the leak',
        );
      },
    );

  if (type !== 'rotateSessionSecret')
    it.concurrent.for(['runChecks', ...stops.slice(0, 1)] as const)(
      'leak: what a terminated run had come to is not replaced, for %s fails: that it be rotated once more is said first',
      async (activity, { expect }) => {
        const leftBehind = { rotation: 'dead-run', arrangement: 'new only', reached: 'new only' };
        const fault = { activity, act: failWith('none') };
        const run = await start({ type, reason: 'leak', leftBehind, fault, ...(changes && { changes }) });
        const [report] = (await failureOf(run)).details as [RotationReport];
        expect(report.outcome).toBe('stopped');
        expect(report.todo[0]).toBe(
          'this run went on with the value of run dead-run, which is older than the report of the leak: rotate it once more, at once',
        );
        expect(report.todo[1]).toContain('the world said no');
      },
    );

  it.concurrent(
    'leak: cancelled once the application is shown the new value, it goes through all the same',
    async ({ expect }) => {
      let cancelled = false;
      const act = async (handle: WorkflowHandle): Promise<void> => {
        if (cancelled) return;
        cancelled = true;
        await handle.cancel();
      };
      const run = await start({
        type,
        reason: 'leak',
        ...(changes && { changes }),
        fault: { activity: 'deployService', act },
      });
      expect(((await run.handle.result()) as RotationReport).outcome).toBe('completed');
      expect(back(run, shows, expect)).toEqual([]);
    },
  );
});

it.concurrent(
  'leak: a new key that cannot be backed up changes nothing, and the old one is said to be in use first',
  async ({ expect }) => {
    const changes = { ...plain, kind: 'encryption' as const, encryption: { ...encryption, backups: ['offsite'] } };
    const fault = { activity: 'resolveBackup' as const, act: failWith('none') };
    const run = await start({ type: 'rotateEncryptionKey', reason: 'leak', changes, fault });
    const failure = await failureOf(run);
    expect(failure.type).toBe('rolled-back');
    expect(failure.message).toMatch(/^the leaked value is still in use; "/);
    expect(run.calls.join()).not.toMatch(/arrangeSecret|deployService|reencrypt/);
  },
);

it.concurrent.for([
  ['leak', 'rejected', /^the leaked value is still in use: rotate it at once$/],
  ['suspicion', 'rejected', /^the value that others may have is still in use: rotate it at once$/],
  ['leaver', 'rejected', /^the value that the leaver knows is still in use: rotate it at once$/],
  ['leaver', 'cancelled', /^the value that the leaver knows is still in use: rotate it at once$/],
] as const)(
  '%s, %s: whose value is still in use is said, and no failure that was none',
  async ([reason, how, todo], { expect }) => {
    const approval = approvalSpec.parse({ gates: ['promote'] });
    const run = await start({ type: 'rotateSessionSecret', reason, changes: { ...plain, approval } });
    await harness.until(run.handle, ({ gate }) => gate !== null);
    if (how === 'rejected') await run.handle.executeUpdate('reject', { args: [{ by: 'ben@example.test' }] });
    else await run.handle.cancel();
    await run.handle.result().catch(() => undefined);
    const { report } = await harness.status(run.handle);
    expect(report).toMatchObject({ outcome: how, todo: [expect.stringMatching(todo)] });
  },
);

it('a routine rotation goes back when something beside it fails, and when it is cancelled', async ({ expect }) => {
  const [runbook] = RUNBOOKS;
  if (!runbook) throw new Error('no runbook');
  const { failure, run } = await failed(runbook, 'watchMonitors', 'routine');
  expect(failure.type).toBe('rolled-back');
  expect(back(run, runbook.shows, expect)).toContain('arrangeSecret old only');
  const act = async (handle: WorkflowHandle): Promise<void> => {
    await handle.cancel();
    await untilCancelled();
    throw new CancelledFailure('cancelled');
  };
  const { type, changes } = runbook;
  const other = await start({
    type,
    reason: 'routine',
    ...(changes && { changes }),
    fault: { activity: 'runChecks', act },
  });
  await expect(other.handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
  expect(back(other, runbook.shows, expect)).toContain('arrangeSecret old only');
});
