/**
 * `kill -9` of the worker at five steps, Temporal killed and restarted once: the run completes, and the world is the same as
 * after an undisturbed run. And a run that was terminated half-way is settled by the next one.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { sign } from 'cookie-signature';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic, type Traffic } from '../../src/demo/traffic.js';
import { APPROVE } from '../../src/domain/messages.js';
import type { RotationReport } from '../../src/domain/report.js';
import type { LedgerRow } from '../../src/ledger/ledger.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { lockFile } from '../../src/stores/files/file-lock.js';
import { ask, logIn, readSetting, runningSystem } from '../examples/support/running-system.js';
import { openStage, poll, type Stage, type WorkerProcess } from './support/stage.js';

const KEY = 'SESSION_SECRET';
const STEP = {
  stage: 'Stage a new value',
  accept: 'Deploy 1 of 3: accept the new value',
  sign: 'Deploy 2 of 3: sign with the new value',
  watch: 'Watch the monitors for 5s',
  retire: 'Deploy 3 of 3: stop accepting the old value',
  forget: 'Destroy the old value',
  settle: 'Settle what an earlier run left behind',
} as const;

let system: ExampleSystem;
let stage: Stage;
let worker: WorkerProcess;
let ledger: PostgresLedger;
/** What the undisturbed run left; the others are held against it. */
let undisturbed: World;

beforeAll(async () => {
  system = await runningSystem('mgmt-vibe');
  stage = await openStage('crash', [system], { keepTemporal: true });
  worker = await stage.startWorker();
  ledger = new PostgresLedger(stage.ledgerUrl);
}, 300_000);

afterAll(() => ledger.close());

test('undisturbed, for comparison', async () => {
  const people = await traffic();
  const before = await look();
  const handle = await start();
  await approve(handle);
  undisturbed = await worldAfter(handle, before, people);
  expect(undisturbed.report.outcome).toBe('completed');
}, 400_000);

test('a worker killed at five steps and a Temporal server killed at the gate change nothing in the world', async () => {
  const people = await traffic();
  const before = await look();
  const killed: string[] = [];
  const killWorker = async (during: string): Promise<void> => {
    expect(await worker.kill9()).toBe('SIGKILL');
    killed.push(during);
    worker = await stage.startWorker();
  };

  // Short steps are held at the file's lock, which this process takes as another Keyturn process would.
  let held = await holdFile();
  const handle = await start();
  await stage.untilDoing(handle, STEP.stage, 'stageSecret');
  await killWorker('stageSecret');
  await held.release();

  await stage.until(handle, ({ gate }) => gate?.name === 'promote');
  const { pid } = stage.temporal;
  await stage.temporal.restart({ kill: true });
  expect(stage.temporal.pid).not.toBe(pid);
  await approve(handle);

  await stage.untilDoing(handle, STEP.accept, 'deployService');
  await killWorker('deployService');

  await stage.untilDoing(handle, STEP.watch, 'watchMonitors');
  await poll('a baseline', async () => {
    const [doing] = (await handle.describe()).raw.pendingActivities ?? [];
    return doing?.heartbeatDetails ? { value: true } : { seen: 'no heartbeat' };
  });
  await killWorker('watchMonitors');

  await stage.untilDoing(handle, STEP.retire, 'deployService');
  held = await holdFile();
  await killWorker('deployService');

  await stage.untilDoing(handle, STEP.forget, 'forgetPrevious');
  await killWorker('forgetPrevious');
  await held.release();

  const world = await worldAfter(handle, before, people);
  expect(world.shape).toEqual(undisturbed.shape);
  // Each of them was really interrupted, and taken over by the next worker.
  expect(await repeated(handle)).toEqual(killed);
}, 600_000);

test('what a terminated run left behind is settled by the next one, which completes', async () => {
  const people = await traffic();
  const before = await look();
  const dead = await start();
  await approve(dead);
  await stage.untilDoing(dead, STEP.accept, 'deployService');
  // Deploy 1 is done and deploy 2 cannot begin: that is where worker and run end.
  const held = await holdFile();
  await stage.untilDoing(dead, STEP.sign, 'arrangeSecret');
  expect(await worker.kill9()).toBe('SIGKILL');
  await dead.terminate('the operator thought it had hung');
  await held.release();
  const [signs, accepted, ...more] = readSetting(system, KEY).split(',');
  expect({ signs, more }).toEqual({ signs: before.value, more: [] });
  expect(accepted).toMatch(/^[0-9a-f]{64}$/);

  worker = await stage.startWorker();
  const handle = await start();
  // Settling deploys services, so the policy's people are asked about that too.
  const { gate } = await stage.until(handle, (status) => status.gate?.name === 'settle');
  expect(gate?.question).toContain(dead.firstExecutionRunId);
  await handle.executeUpdate(APPROVE, { args: [{ by: 'ben@example.test' }] });
  await approve(handle);
  const world = await worldAfter(handle, before, people, dead);
  const settled = world.report.steps.find(({ name }) => name === STEP.settle);
  expect(settled?.state).toBe('done');
  expect(settled?.evidence?.summary).toContain(
    `the value of run ${dead.firstExecutionRunId} is taken back (it had come to "old, accept new")`,
  );
  expect(withoutSettling(world.shape)).toEqual(undisturbed.shape);
  // The dead run's value went with it.
  expect(world.value).not.toBe(accepted);
  expect(await answerTo(accepted ?? '')).toBe(401);
}, 600_000);

type Run = WorkflowHandleWithFirstExecutionRunId;

interface Before {
  readonly lines: readonly string[];
  readonly value: string;
  readonly rows: number;
}

interface World {
  readonly value: string;
  readonly report: RotationReport;
  /** What must be the same after every completed run. */
  readonly shape: Shape;
}

interface Shape {
  readonly report: Pick<RotationReport, 'ref' | 'outcome' | 'method' | 'operator' | 'refusals' | 'todo'>;
  readonly steps: readonly string[];
  readonly row: object;
}

async function traffic(): Promise<Traffic> {
  const people = await startTraffic([system], { people: 2, rate: 4 });
  onTestFinished(async () => {
    await people.stop();
  });
  return people;
}

function start(): Promise<Run> {
  const [environment, secret] = [system.environment, system.secret];
  return stage.client.workflow.start('rotateSessionSecret', {
    workflowId: `rotate:mgmt-vibe/${environment}/${secret}`,
    taskQueue: 'keyturn',
    args: [{ system: 'mgmt-vibe', environment, secret, operator: 'ana@example.test', reason: 'routine' }],
  });
}

async function approve(handle: Run): Promise<void> {
  await stage.until(handle, ({ gate }) => gate?.name === 'promote');
  await handle.executeUpdate(APPROVE, { args: [{ by: 'ben@example.test' }] });
}

/** As another Keyturn process at work on the file: changes to it wait. */
async function holdFile(): ReturnType<typeof lockFile> {
  const lock = await lockFile(`${system.envFile}.keyturn.lock`);
  onTestFinished(() => lock.release());
  return lock;
}

async function look(): Promise<Before> {
  const lines = (await readFile(system.envFile, 'utf8')).split('\n');
  return { lines, value: readSetting(system, KEY), rows: (await ledger.list()).length };
}

/** Waits for the end of the run, and holds everything it touched against what was before. */
async function worldAfter(handle: Run, before: Before, people: Traffic, settled?: Run): Promise<World> {
  const report = (await handle.result()) as RotationReport;
  const after = await look();
  expect(after.value).toMatch(/^[0-9a-f]{64}$/);
  expect(after.value).not.toBe(before.value);
  // Only the secret's own line differs, and nothing lies beside the file: no sidecar, no lock, no temporary file.
  expect(after.lines.filter((line) => !before.lines.includes(line))).toEqual([`${KEY}=${after.value}`]);
  expect(after.lines).toHaveLength(before.lines.length);
  expect(await besideTheFile()).toEqual([basename(system.envFile)]);

  const rows = (await ledger.list()).slice(before.rows);
  const [row] = rows.slice(-1);
  if (!row) throw new Error('the run is not in the ledger');
  expect(rows.map(({ requestId, outcome }) => [requestId, outcome])).toEqual([
    ...(settled ? [[settled.firstExecutionRunId, 'rolled back']] : []),
    [handle.firstExecutionRunId, 'completed'],
  ]);
  expect(await ledger.verify()).toMatchObject({ intact: true });

  expect(await answerTo(after.value)).toBe(200);
  expect(await answerTo(before.value)).toBe(401);

  const { served, failed, refused, signedInAgain } = (await people.stop()).get('mgmt-vibe')!;
  expect({ failed, refused, signedInAgain }, people.failures('mgmt-vibe').join('\n')).toEqual({
    failed: 0,
    refused: 0,
    signedInAgain: 0,
  });
  expect(served).toBeGreaterThan(0);
  return { value: after.value, report, shape: shapeOf(report, row) };
}

function shapeOf({ ref, outcome, method, operator, refusals, todo, steps }: RotationReport, row: LedgerRow): Shape {
  const { system: name, environment, secret, kind, reason, notes, evidence } = row;
  return {
    report: { ref, outcome, method, operator, refusals, todo },
    steps: steps.map((step) => `${step.name}: ${step.state}`),
    row: {
      ...{ name, environment, secret, kind, reason, outcome: row.outcome, operator: row.operator },
      notes: notes.split('; ').filter((note) => !SETTLING.test(note)),
      due: row.nextDueAt !== null,
      evidence: evidence.map((step) => `${step.name}: ${step.state}`).filter((line) => !SETTLING.test(line)),
    },
  };
}

/** Steps and notes about an earlier run; after it the proof is tried in a step of its own. */
const SETTLING = /^(Settle what|Approval: settle|Earlier run:|Try the proof with|settle: |the value (?:that|of) run )/;

function withoutSettling(shape: Shape): Shape {
  return { ...shape, steps: shape.steps.filter((line) => !SETTLING.test(line)) };
}

/** Files of the env file's name, whole or within theirs; the application's own files have other names. */
async function besideTheFile(): Promise<string[]> {
  return (await readdir(dirname(system.envFile))).filter((name) => name.includes('.env') || name.includes('keyturn'));
}

/** The status of the answer to a living session's cookie, signed with this secret. */
async function answerTo(secret: string): Promise<number> {
  const { cookie } = await logIn(system);
  const [name = '', value = ''] = (cookie ?? '').split('=');
  const signed = decodeURIComponent(value).slice(2);
  const session = signed.slice(0, signed.lastIndexOf('.'));
  const forged = `${name}=${encodeURIComponent(`s:${sign(session, secret)}`)}`;
  return (await ask(system, '/api/auth/me', { cookie: forged })).status;
}

/** Activities that took more than one attempt because their worker was gone, in order. */
async function repeated(handle: Run): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  const typeOf = new Map(
    (events ?? []).map((event) => [
      String(event.eventId),
      event.activityTaskScheduledEventAttributes?.activityType?.name ?? '',
    ]),
  );
  return (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started && (started.attempt ?? 1) > 1 && started.lastFailure?.timeoutFailureInfo
      ? [typeOf.get(String(started.scheduledEventId)) ?? '']
      : [],
  );
}
