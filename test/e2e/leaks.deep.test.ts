/**
 * Rotations of all example systems — completed, rejected, rolled back after failed deploys, ended with all sessions — and
 * then a search of everything that was written meanwhile for every value there was. The same search finds a planted value.
 */
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { exportHistories, searchFor } from '../../src/demo/leaks.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import type { ExampleName } from '../../src/demo/systems/blueprints.js';
import { lockFile } from '../../src/stores/files/file-lock.js';
import { logIn, query, readSetting, runningSystems, writeSetting } from '../examples/support/running-system.js';
import { openStage, poll, textOf, type Said, type Stage } from './support/stage.js';
import { collectValues, type Collector } from './support/values.js';

const { DescribeWorkflowExecutionResponse } = proto.temporal.api.workflowservice.v1;
const OPERATOR = ['--operator', 'ana@example.test'];
/** An effect is tried for a minute and a half before it is undone. */
const RETRIES_MS = 300_000;
const APPROVER = ['--as', 'ben@example.test'];
/** What the Temporal UI asks: the checklist is in its answer and in no history. */
const METADATA_QUERY = '__temporal_workflow_metadata';

let systems: ExampleSystem[];
let stage: Stage;
let collector: Collector;
/** Of the log of the shared PostgreSQL when this file began; what came before is other files'. */
let postgresLogStart: number;
/** Everything that commands printed. */
let printed = '';
/** Descriptions and answers to queries of runs under way: heartbeats, details, checklists. */
let seenRunning = '';
/** Ids of sessions, which the applications themselves keep in their tables. */
const sessions = new Set<string>();

beforeAll(async () => {
  postgresLogStart = (await stat(inject('postgresLog'))).size;
  systems = await runningSystems('mediavault', 'mgmt-vibe', 'hms');
  stage = await openStage('leaks', systems, { logLevel: 'debug' });
  await stage.startWorker();
  collector = collectValues(systems);
}, 300_000);

afterAll(() => collector.stop());

test('rotations of three systems, with every verb, leave no value anywhere', async () => {
  const watching = new AbortController();
  const watched = watchRuns(watching.signal);
  await Promise.all([mediavault(), mgmtVibe(), hms()]);
  await look();
  for (const args of [['status'], ['log'], ['log', '--csv'], ['log', '--verify'], ['inventory'], ['schema']]) {
    await keyturn(args);
    await keyturn([...args, '--json']);
  }
  watching.abort();
  await watched;
  await collector.stop();

  const runs = await histories(5);
  // What `keyturn plan` asks of the worker is in Temporal too.
  expect([...runs.keys()].filter((name) => name.startsWith('history of plan:'))).toHaveLength(3);
  expect(outcomes()).toEqual({
    mediavault: ['completed'],
    'mgmt-vibe': ['rejected', 'rolled back', 'completed'],
    hms: ['completed'],
  });
  // Five runs have staged a value each, and each was seen.
  expect(collector.staged).toBe(5);
  // The ones there were, the wrong password, the passwords of people and databases.
  expect(collector.values.size).toBeGreaterThan(25);

  const own = new Map([
    ...runs,
    ['runs under way', seenRunning],
    ['worker log', await textOf(stage.workerLog)],
    ['Temporal log', await textOf(stage.temporal.logFile)],
    ['commands', printed],
    ['ledger', await ledgerTables()],
  ]);
  const postgres = new Map([['PostgreSQL log', await postgresLog()]]);
  for (const [place, text] of [...own, ...postgres]) {
    if (place !== 'Temporal log') expect(text.length, `nothing was read from ${place}`).toBeGreaterThan(500);
  }
  expect(searchFor(collector.values, new Map([...own, ...postgres])).found).toEqual([]);
  expect(sessions.size).toBeGreaterThan(3);
  expect(searchFor(sessions, own).found).toEqual([]);
}, 900_000);

test('a value planted in each kind of place is found there by the same search', async () => {
  const planted = randomBytes(24).toString('hex');
  const { client } = stage;
  const plain = await client.workflow.start('planted', {
    workflowId: 'planted',
    taskQueue: 'nobody',
    args: [{ note: planted }],
    memo: { note: planted },
  });
  await plain.terminate();
  // A worker's log names what it could not find.
  const asked = await client.workflow.start('rotateSessionSecret', {
    workflowId: `rotate:mgmt-vibe/staging/${planted}`,
    taskQueue: 'keyturn',
    args: [{ system: 'mgmt-vibe', environment: 'staging', secret: planted, operator: 'ana' }],
  });
  await expect(asked.result()).rejects.toThrow();
  await keyturn(['plan', `mgmt-vibe/staging/${planted}`]);
  await inPostgres(inject('postgresUrl'), (database) => database.query('SELECT $1::text', [planted]));
  await inPostgres(stage.ledgerOwnerUrl, (database) =>
    database.query(`CREATE TABLE planted AS SELECT '${planted}' AS note`),
  );

  const texts = new Map([
    ...(await histories(7)),
    ['worker log', await textOf(stage.workerLog)],
    ['commands', printed],
    ['ledger', await ledgerTables()],
    ['PostgreSQL log', await postgresLog()],
  ]);
  const { found } = searchFor([planted], texts);
  const kinds = [...new Set(found.map((place) => place.replace(/(of \S+) \S+$/, '$1')))];
  expect(kinds.sort()).toEqual([
    'PostgreSQL log',
    'commands',
    'description of planted',
    `description of rotate:mgmt-vibe/staging/${planted}`,
    'history of planted',
    `history of rotate:mgmt-vibe/staging/${planted}`,
    'ledger',
    'worker log',
  ]);
}, 300_000);

const VALUE = 'pa"ss/wö?rd+%and=\\more';
const bytes = Buffer.from(VALUE);
const FORMS: readonly (readonly [string, string])[] = [
  ['as it is', VALUE],
  ['in a payload', bytes.toString('latin1')],
  ['URL-encoded', encodeURIComponent(VALUE)],
  ['in JSON', JSON.stringify({ VALUE })],
  ['in hexadecimal', `\\x00${bytes.toString('hex')}00`],
  ['in upper case hexadecimal', bytes.toString('hex').toUpperCase()],
  ...['', 'x', 'xy'].map((before) => [`in base64 after ${before.length} bytes`, base64(before)] as const),
  ...['', 'x', 'xy'].map((before) => [`in base64url after ${before.length} bytes`, base64url(before)] as const),
];
test.each(FORMS)('a value is found %s', (_, text) => {
  expect(searchFor([VALUE], new Map([['here', `before ${text} after`]])).found).toEqual(['here']);
  expect(searchFor(['another value altogether'], new Map([['here', text]])).found).toEqual([]);
});

function base64(before: string): string {
  return Buffer.from(`${before}${VALUE}"}`).toString('base64');
}

function base64url(before: string): string {
  return Buffer.from(`${before}${VALUE}"}`).toString('base64url');
}

async function mediavault(): Promise<void> {
  const ref = 'mediavault/production/SESSION_SECRET';
  await keyturn(['plan', ref, ...OPERATOR]);
  const running = keyturn(['rotate', ref, ...OPERATOR, '--reason', 'routine', '--wait']);
  await gateOf(ref);
  await look();
  await keyturn(['status', ref]);
  await keyturn(['approve', ref, '--as', 'ana@example.test']);
  await keyturn(['approve', ref, ...APPROVER, '--note', 'looked at the plan']);
  expect((await running).exitCode).toBe(0);
}

async function mgmtVibe(): Promise<void> {
  const ref = 'mgmt-vibe/staging/SESSION_SECRET';
  await keyturn(['plan', ref, '--json']);
  await keyturn(['rotate', ref, ...OPERATOR]);
  await gateOf(ref);
  await keyturn(['reject', ref, ...APPROVER, '--note', 'not today']);
  await handleOf(ref).result();

  await rolledBack(ref);

  const running = keyturn(['rotate', ref, ...OPERATOR, '--wait', '--json']);
  await gateOf(ref);
  await look();
  await keyturn(['approve', ref, ...APPROVER]);
  expect((await running).exitCode).toBe(0);
}

/** While the gate is open somebody breaks the database's URL: no instance comes up with it, whatever it prints. */
async function rolledBack(ref: string): Promise<void> {
  const system = systemOf('mgmt-vibe');
  const running = keyturn(['rotate', ref, ...OPERATOR, '--wait']);
  const handle = await gateOf(ref);
  const [current, right] = [readSetting(system, 'SESSION_SECRET'), readSetting(system, 'DATABASE_URL')];
  const wrong = new URL(right);
  const password = `wrong/${randomBytes(12).toString('hex')}+=?`;
  wrong.password = encodeURIComponent(password);
  writeSetting(system, 'DATABASE_URL', wrong.href);
  await keyturn(['approve', ref, ...APPROVER]);
  await poll(
    'a failed deploy',
    async () => {
      const { steps } = await stage.until(handle, () => true);
      const step = steps.find(({ name }) => name.startsWith('Deploy 1'));
      return step?.state === 'failed' ? { value: true } : { seen: `deploy 1: ${step?.state ?? 'missing'}` };
    },
    RETRIES_MS,
  );
  // Searched for like any other value, as it stands in the file and as the application reads it.
  expect([...collector.values]).toEqual(expect.arrayContaining([password, wrong.password]));
  // Under the file's lock: the undo is writing to it at this very moment.
  const lock = await lockFile(`${system.envFile}.keyturn.lock`);
  writeSetting(system, 'DATABASE_URL', right);
  await lock.release();
  const { exitCode, stderr } = await running;
  expect(exitCode, stderr).toBe(3);
  expect(readSetting(system, 'SESSION_SECRET')).toBe(current);
}

async function hms(): Promise<void> {
  const ref = 'hms/local/JWT_SECRET';
  await keyturn(['plan', ref]);
  expect((await keyturn(['rotate', ref, ...OPERATOR, '--reason', 'leak', '--wait'])).exitCode).toBe(0);
  await keyturn(['status', ref, '--json']);
}

async function keyturn(args: readonly string[]): Promise<Said> {
  const said = await stage.keyturn(...args);
  printed += `$ keyturn ${args.join(' ')}\n${said.stdout}\n${said.stderr}\n`;
  return said;
}

async function gateOf(ref: string): Promise<WorkflowHandle> {
  const handle = handleOf(ref);
  await stage.until(handle, ({ gate }) => gate !== null);
  return handle;
}

function handleOf(ref: string): WorkflowHandle {
  return stage.client.workflow.getHandle(`rotate:${ref}`);
}

function systemOf(name: ExampleName): ExampleSystem {
  return systems.find((system) => system.name === name)!;
}

/** People's sessions, and those of the checks. */
async function look(): Promise<void> {
  for (const [name, table] of [
    ['mediavault', 'user_sessions'],
    ['mgmt-vibe', 'sessions'],
  ] as const) {
    await logIn(systemOf(name), 'ana');
    for (const { sid } of await query(systemOf(name), `SELECT sid FROM ${table}`)) sessions.add(String(sid));
  }
}

async function watchRuns(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for await (const { workflowId, runId } of stage.client.workflow.list({ query: `ExecutionStatus = 'Running'` })) {
      const handle = stage.client.workflow.getHandle(workflowId, runId);
      const { raw } = await handle.describe();
      seenRunning += Buffer.from(DescribeWorkflowExecutionResponse.encode(raw).finish()).toString('latin1');
      for (const name of ['status', METADATA_QUERY]) {
        // A run that is ending at this moment, or a worker that is busy: the next round asks again.
        const answer = await stage.client
          .withDeadline(Date.now() + 3_000, () => handle.query<unknown>(name))
          .catch(() => null);
        seenRunning += JSON.stringify(answer);
      }
    }
    await sleep(500);
  }
}

/** Listing is eventually consistent: waits until so many runs are there. */
function histories(count: number): Promise<Map<string, string>> {
  return poll(`${count} histories`, async () => {
    const texts = await exportHistories(stage.client);
    return rotationsIn(texts) === count ? { value: texts } : { seen: [...texts.keys()].join(', ') };
  });
}

/** As `keyturn log --json` has printed them. */
function outcomes(): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  const [, document = ''] = /^\$ keyturn log --json\n(.*?)\n\n\$ /ms.exec(printed) ?? [];
  const parsed = JSON.parse(document) as { rows: { system: string; outcome: string }[] };
  for (const { system, outcome } of parsed.rows) (found[system] ??= []).push(outcome);
  return found;
}

async function ledgerTables(): Promise<string> {
  return inPostgres(stage.ledgerOwnerUrl, async (database) => {
    const { rows: tables } = await database.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    let text = '';
    for (const { name } of tables) {
      const { rows } = await database.query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM ${name} t`);
      text += rows.map(({ row }) => `${row}\n`).join('');
    }
    return text;
  });
}

async function postgresLog(): Promise<string> {
  return (await readFile(inject('postgresLog'))).subarray(postgresLogStart).toString('latin1');
}

async function inPostgres<T>(url: string, use: (database: pg.Client) => Promise<T>): Promise<T> {
  const database = new pg.Client({ connectionString: url });
  await database.connect();
  try {
    return await use(database);
  } finally {
    await database.end();
  }
}

/** Locks on services have histories too, which are searched as well. */
function rotationsIn(texts: ReadonlyMap<string, string>): number {
  return [...texts.keys()].filter((name) => /^history of (?!service:|plan:)/.test(name)).length;
}
