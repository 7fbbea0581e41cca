/**
 * `kill -9` of the worker at four steps of a swap; in the middle of the delay another build takes over from it, and Temporal is
 * killed and restarted on its file. The world is as after an undisturbed swap, and whoever uses the system notices nothing.
 */
import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic, type Traffic } from '../../src/demo/traffic.js';
import type { RotationReport } from '../../src/domain/report.js';
import { temporaryDirectory } from '../../src/embedded/directories.js';
import { PostgresLedger } from '../../src/ledger/postgres-ledger.js';
import { query, readSetting, runningSystem, variable } from '../examples/support/running-system.js';
import { afterwards } from '../support/afterwards.js';
import { openStage, type Stage, type WorkerProcess } from './support/stage.js';
import { keeps, MINUTES, observes, rolesOf, swapsOn, sweepRoles, type Swaps } from './support/swaps.js';

const KEY = 'DATABASE_URL';
const REF = `messaging/staging/${KEY}`;
const CLONE = fileURLToPath(new URL('../../', import.meta.url));
/** The text of a step, which a later build words otherwise. */
const WORDING = ['Prove that the old role is refused', 'Prove that the old role cannot come back'] as const;

let system: ExampleSystem;
let stage: Stage;
let swaps: Swaps;
let worker: WorkerProcess;
let ledger: PostgresLedger;
/** What the undisturbed swap left; the disturbed one is held against it. */
let undisturbed: World;

beforeAll(async () => {
  system = await runningSystem('messaging/staging');
  sweepRoles([system]);
  stage = await openStage('swap_crash', [system], { keepTemporal: true });
  swaps = swapsOn(stage);
  worker = await stage.startWorker();
  ledger = new PostgresLedger(stage.ledgerUrl);
}, 300_000);

afterAll(() => ledger.close());

test('undisturbed, for comparison', async () => {
  const people = await traffic();
  const before = await look();
  const handle = await start();
  await stage.until(handle, keeps);
  await swaps.skip(handle, 60 * MINUTES);
  await stage.until(handle, observes);
  await swaps.skip(handle, 1 * MINUTES);
  undisturbed = await worldAfter(handle, before, people);
  expect(undisturbed.shape.report.outcome).toBe('completed');
  // Its own role was the first generation, and holds the rights from now on.
  expect(undisturbed.roles).toContainEqual({ name: system.role, login: false });
}, 400_000);

test('killed at four steps, with a new build and a Temporal restart within the delay: one drop, on time', async () => {
  const people = await traffic();
  const before = await look();
  const old = new URL(before.value).username;
  const killed: string[] = [];
  const killWorker = async (during: string, program?: string): Promise<void> => {
    expect(await worker.kill9()).toBe('SIGKILL');
    killed.push(during);
    worker = await stage.startWorker(program);
  };

  // The role that the new one becomes a member of is held: the statement waits on the server, and goes on without its worker.
  let held = await holdRole(system.role);
  const handle = await start();
  await stage.untilDoing(handle, `Create the role ${await nextRole(handle)}`, 'createRole');
  await killWorker('createRole');
  await held.release();

  await stage.untilDoing(handle, 'Switch to the new credential', 'deployService');
  await killWorker('deployService');

  const { wait } = await stage.until(handle, keeps);
  const deadline = wait?.until ?? '';
  await swaps.skip(handle, 30 * MINUTES);
  const build = await anotherBuild();
  expect(await worker.kill9()).toBe('SIGKILL');
  const { pid } = stage.temporal;
  await stage.temporal.restart({ kill: true });
  expect(stage.temporal.pid).not.toBe(pid);
  worker = await stage.startWorker(build);
  const { wait: stillWaits, steps } = await stage.until(handle, keeps);
  expect(stillWaits?.until).toBe(deadline);
  expect(steps.map(({ name }) => name)).toContain(WORDING[1]);

  await swaps.skip(handle, 25 * MINUTES);
  await stage.until(handle, keeps);
  expect(await rolesOf(system)).toContainEqual(expect.objectContaining({ name: old, login: true }));
  await swaps.skip(handle, 6 * MINUTES);
  await stage.until(handle, observes);

  held = await holdRole(old);
  const passing = swaps.skip(handle, 1 * MINUTES);
  await stage.untilDoing(handle, 'Drop the old role', 'dropOldRole');
  await killWorker('dropOldRole', build);
  await held.release();
  await passing;

  const world = await worldAfter(handle, before, people);
  const reworded = JSON.stringify(world.shape).replaceAll(WORDING[1], WORDING[0]);
  expect(JSON.parse(reworded)).toEqual(undisturbed.shape);
  expect(world.roles).toEqual([
    { name: system.role, login: false },
    { name: new URL(world.value).username, login: true },
  ]);
  expect(await repeated(handle)).toEqual(killed);
  const drops = await timesOf(handle, 'dropOldRole');
  expect(drops).toHaveLength(1);
  expect(Math.min(...drops, ...(await timesOf(handle, 'disableOldRole')))).toBeGreaterThanOrEqual(Date.parse(deadline));
}, 600_000);

interface Before {
  readonly lines: readonly string[];
  readonly value: string;
  readonly rows: number;
}

interface World {
  readonly value: string;
  readonly roles: readonly { name: string; login: boolean }[];
  /** What must be the same after every completed run. */
  readonly shape: {
    readonly report: Pick<RotationReport, 'ref' | 'outcome' | 'method' | 'operator' | 'refusals' | 'todo'>;
    readonly steps: readonly string[];
    readonly row: object;
  };
}

async function traffic(): Promise<Traffic> {
  const people = await startTraffic([system], { people: 4, rate: 20 });
  onTestFinished(async () => {
    await people.stop();
  });
  return people;
}

async function start(): Promise<WorkflowHandle> {
  const { exitCode, stderr } = await stage.keyturn('rotate', REF, '--operator', 'ana@example.test');
  expect(exitCode, stderr).toBe(0);
  return swaps.runOf(REF);
}

/** Its name ends as the run's id does. */
async function nextRole(handle: WorkflowHandle): Promise<string> {
  const { steps } = await stage.until(handle, () => true);
  return steps.map(({ name }) => /^Create the role (\S+)$/.exec(name)?.[1]).find((name) => name !== undefined) ?? '';
}

/** As another administrator at work on this role: creating members of it and dropping it wait. */
async function holdRole(name: string): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: variable(system, '_ADMIN_URL') });
  await client.connect();
  let held = true;
  const release = async (): Promise<void> => {
    if (held) await client.end();
    held = false;
  };
  onTestFinished(release);
  await client.query('BEGIN');
  await client.query(`COMMENT ON ROLE ${pg.escapeIdentifier(name)} IS 'somebody is at work on it'`);
  return { release };
}

/** A later version that words one step otherwise, in the workflow too. @returns its program. */
async function anotherBuild(): Promise<string> {
  const home = await temporaryDirectory('another-build');
  afterwards(() => home.remove());
  for (const part of ['dist', 'scripts', 'package.json'])
    await cp(join(CLONE, part), join(home.path, part), { recursive: true });
  await symlink(join(CLONE, 'node_modules'), join(home.path, 'node_modules'));
  for (const file of ['workflow-bundle.js', join('runbooks', 'database-swap', 'steps.js')]) {
    const path = join(home.path, 'dist', file);
    const text = await readFile(path, 'utf8');
    expect(text).toContain(WORDING[0]);
    await writeFile(path, text.replaceAll(...WORDING));
  }
  return join(home.path, 'dist', 'cli', 'main.js');
}

async function look(): Promise<Before> {
  const lines = (await readFile(system.envFile, 'utf8')).split('\n');
  return { lines, value: readSetting(system, KEY), rows: (await ledger.list()).length };
}

/** Waits for the end of the run, and holds everything it touched against what was before. */
async function worldAfter(handle: WorkflowHandle, before: Before, people: Traffic): Promise<World> {
  const { ref, outcome, method, operator, refusals, todo, steps } = (await handle.result()) as RotationReport;
  const after = await look();
  expect(after.lines.filter((line) => !before.lines.includes(line))).toEqual([`${KEY}=${after.value}`]);
  expect(after.lines).toHaveLength(before.lines.length);
  const beside = (await readdir(dirname(system.envFile))).filter((name) => /\.env|keyturn/.test(name));
  expect(beside).toEqual([basename(system.envFile)]);

  const rows = (await ledger.list()).slice(before.rows);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  if (!row) throw new Error('the run is not in the ledger');
  expect(await ledger.verify()).toMatchObject({ intact: true });

  await expect(logIn(before.value)).rejects.toThrow();
  // The group: everything is still owned by it, and what is made belongs to it.
  expect(await logIn(after.value)).toBe(system.role);
  const owners = await query(system, `SELECT DISTINCT tableowner AS name FROM pg_tables WHERE schemaname = 'public'`);
  expect(owners).toEqual([{ name: system.role }]);

  const { served, failed, refused } = (await people.stop()).get('messaging')!;
  expect({ failed, refused }, people.failures('messaging').join('\n')).toEqual({ failed: 0, refused: 0 });
  expect(served).toBeGreaterThan(0);
  return {
    value: after.value,
    roles: (await rolesOf(system)).map(({ name, login }) => ({ name, login })),
    shape: {
      report: { ref, outcome, method, operator, refusals, todo },
      steps: steps.map(({ name, state }) => `${generic(name)}: ${state}`),
      row: {
        ...{ secret: row.secret, kind: row.kind, reason: row.reason, outcome: row.outcome, operator: row.operator },
        ...{ notes: row.notes, due: row.nextDueAt !== null },
        evidence: row.evidence.map(({ name, state }) => `${generic(name)}: ${state}`),
      },
    },
  };
}

function generic(step: string): string {
  return step.replace(/messaging_staging_\d{6}_\w{6}/, 'NEW');
}

async function logIn(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ user: string }>('SELECT current_user::text AS user');
    return rows[0]?.user ?? '';
  } finally {
    await client.end();
  }
}

/** When this activity was scheduled, milliseconds of the run's own time. */
async function timesOf(handle: WorkflowHandle, activity: string): Promise<number[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? [])
    .filter((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity)
    .map(({ eventTime }) => Number(eventTime?.seconds ?? 0) * 1_000 + Math.floor((eventTime?.nanos ?? 0) / 1e6));
}

/** Activities that took more than one attempt because their worker was gone, in order. */
async function repeated(handle: WorkflowHandle): Promise<string[]> {
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
