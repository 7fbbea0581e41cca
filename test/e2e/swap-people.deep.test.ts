/** People around a swap, by the command line: what they are told before, during the wait and at its end, and what they decide. */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic, type Traffic } from '../../src/demo/traffic.js';
import type { RotationReport } from '../../src/domain/report.js';
import { ask, logIn, query, readSetting, runningSystems } from '../examples/support/running-system.js';
import { freshRoleName } from '../support/servers.js';
import { openStage, type Stage } from './support/stage.js';
import { keeps, MINUTES, observes, rolesOf, swapsOn, sweepRoles, type Swaps } from './support/swaps.js';

const KEY = 'DATABASE_URL';
const BOARD = `mgmt-vibe/staging/${KEY}`;
const MESSAGING = `messaging/staging/${KEY}`;
const ANA = ['--operator', 'ana@example.test'];
const BEN = ['--as', 'ben@example.test'];
const PATIENCE_MS = 400_000;

let board: ExampleSystem;
let messaging: ExampleSystem;
let stage: Stage;
let swaps: Swaps;

beforeAll(async () => {
  const systems = await runningSystems('mgmt-vibe', 'messaging/staging');
  board = systems.find(({ name }) => name === 'mgmt-vibe')!;
  messaging = systems.find(({ name }) => name === 'messaging')!;
  sweepRoles(systems);
  stage = await openStage('swap_people', systems);
  swaps = swapsOn(stage);
  await stage.startWorker();
}, PATIENCE_MS);

describe('a task board, whose rights are copied', { timeout: PATIENCE_MS }, () => {
  test('the plan says what will be done, how long it takes, and which strategy is best', async () => {
    const { exitCode, stdout } = await stage.keyturn('plan', BOARD, ...ANA);
    expect(exitCode, stdout).toBe(0);
    for (const line of [
      /Create the role mgmt_vibe_staging_\d{6}_\w{6}: a copy of every right, in every database/,
      'Keep the old role for 1h: who still uses it is asked every 1m',
      '1h before the old role is dropped',
      'anyone but the operator, at drop',
      `! strategy: copy, as the inventory says; recommended: group, ${board.role} itself becomes the group`,
      'administrator: ',
    ])
      expect(stdout).toEqual(typeof line === 'string' ? expect.stringContaining(line) : expect.stringMatching(line));
    expect(await rolesOf(board)).toHaveLength(1);
  });

  test('they see who is on the old role, wait longer, end the wait, look again, and end a straggler', async () => {
    const people = await traffic(board, 'mgmt-vibe');
    const old = readSetting(board, KEY);
    const running = stage.keyturn('rotate', BOARD, ...ANA, '--wait', '--json');
    const handle = swaps.runOf(BOARD);
    const { wait } = await stage.until(handle, keeps);
    const fresh = new URL(readSetting(board, KEY)).username;
    expect(fresh).not.toBe(board.role);

    // Somebody's console, forgotten in a transaction on the old role.
    const straggler = await connected(old, 'nightly-report');
    await straggler.query('BEGIN');
    await straggler.query('SELECT count(*) FROM tasks');
    // And a colleague's grant, made to the role that everybody knows.
    const report = await tableOfOthers();
    await query(board, `GRANT SELECT ON ${report} TO ${board.role}`);

    await swaps.skip(handle, 2 * MINUTES);
    const named = /1 × nightly-report from 127\.0\.0\.1 on primary \(idle in transaction, since \d{4}-/;
    await stage.until(handle, ({ steps }) => steps.some(({ seen }) => named.test(seen?.join() ?? '')));
    const status = await said('status', BOARD);
    expect(status).toMatch(named);
    expect(status).toContain(
      `waits until ${wait?.until ?? ''}: The old role is kept until then; it is dropped after that, once nobody is on it`,
    );
    for (const verb of ['extend', 'drop-now', 'abort']) expect(status).toContain(`${verb} ${BOARD} `);
    expect(await said('status')).toContain(wait?.until);

    const until = new Date(Date.parse(wait?.until ?? '') + 6 * 3_600_000).toISOString();
    expect(await said('extend', BOARD, '6h', ...BEN)).toContain(`waits until ${until} now`);
    await stage.until(handle, (now) => now.wait?.until === until);
    expect(await said('drop-now', BOARD, ...BEN, '--note', 'the nightly job is over')).toContain('the wait is over');

    // Not over for the straggler: nothing is dropped, and nobody is shut out, until somebody decides about it.
    const { gate } = await stage.until(handle, (now) => now.gate?.name === 'stragglers');
    expect(gate?.question).toMatch(named);
    expect(await rolesOf(board)).toContainEqual(expect.objectContaining({ name: board.role, login: true }));
    await straggler.query('SELECT 1');
    expect((await stage.keyturn('approve', BOARD, '--as', 'ana@example.test')).exitCode).not.toBe(0);
    await said('approve', BOARD, ...BEN, '--gate', 'stragglers');

    // Somebody wanted it over early, so somebody else says that it may be.
    await stage.until(handle, (now) => now.gate?.name === 'drop');
    expect(await rolesOf(board)).toContainEqual(expect.objectContaining({ name: board.role, login: true }));
    await said('approve', BOARD, ...BEN, '--gate', 'drop');
    await stage.until(handle, observes);
    await swaps.skip(handle, 1 * MINUTES);

    const { exitCode, stdout, stderr } = await running;
    expect(exitCode, stderr).toBe(0);
    const { reports } = JSON.parse(stdout) as { reports: RotationReport[] };
    expect(reports.map(({ outcome }) => outcome)).toEqual(['completed']);
    await expect(straggler.query('SELECT 1')).rejects.toThrow();
    expect((await rolesOf(board)).map(({ name, login }) => ({ name, login }))).toEqual([{ name: fresh, login: true }]);
    // What was granted meanwhile is there, and what the old role owned is the new one's.
    const client = await connected(readSetting(board, KEY), 'the new role');
    expect((await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${report}`)).rows).toEqual([{ n: 0 }]);
    const owners = await query(
      board,
      `SELECT DISTINCT tableowner AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> '${report}'`,
    );
    expect(owners).toEqual([{ name: fresh }]);
    const log = await said('log', BOARD);
    for (const line of ['extended the wait by 6h', 'the nightly job is over', 'stragglers: ', 'drop: '])
      expect(log).toContain(line);
    await nobodyNoticed(people, 'mgmt-vibe');
  });
});

describe('messaging, whose role becomes a group', { timeout: PATIENCE_MS }, () => {
  test('abort in the wait: the old role serves, the new one is gone, the file is as it was to the byte', async () => {
    const people = await traffic(messaging, 'messaging');
    const file = await readFile(messaging.envFile);
    const before = await rolesOf(messaging);
    const running = stage.keyturn('rotate', MESSAGING, ...ANA, '--wait');
    const handle = swaps.runOf(MESSAGING);
    await stage.until(handle, keeps);
    expect(await readFile(messaging.envFile)).not.toEqual(file);
    // The application makes a table as the new role; it stays the application's.
    expect(await archive('2020-01')).toMatchObject({ status: 201 });

    const aborted = await said('abort', MESSAGING, ...BEN, '--note', 'the pool of the reports is not moved yet');
    expect(aborted).toContain('aborted, and now being undone');
    const { exitCode, stdout } = await running;
    expect(exitCode, stdout).toBe(3);
    expect(stdout).toContain(': aborted\n');
    expect(await readFile(messaging.envFile)).toEqual(file);
    expect(shapeOf(await rolesOf(messaging))).toEqual(shapeOf(before));
    expect(before).toHaveLength(1);
    expect(await archive('2020-01')).toMatchObject({ status: 200 });
    expect(await said('log', MESSAGING)).toContain('the pool of the reports is not moved yet');
    expect(await said('status', MESSAGING)).toContain('aborted by ben@example.test');
    const late = await stage.keyturn('extend', MESSAGING, '1h', ...BEN);
    expect(late.exitCode).not.toBe(0);
    expect(late.stderr).toContain('none is running');
    await nobodyNoticed(people, 'messaging');
  });

  test('a table that the application makes in the wait is usable by it after the drop', async () => {
    const people = await traffic(messaging, 'messaging');
    expect((await stage.keyturn('rotate', MESSAGING, ...ANA)).exitCode).toBe(0);
    const handle = swaps.runOf(MESSAGING);
    await stage.until(handle, keeps);
    const month = new Date().toISOString().slice(0, 7);
    expect(await archive(month)).toMatchObject({ status: 201, json: { created: true } });
    await swaps.skip(handle, 60 * MINUTES);
    await stage.until(handle, observes);
    await swaps.skip(handle, 1 * MINUTES);
    const { outcome } = (await handle.result()) as RotationReport;
    expect(outcome).toBe('completed');

    const again = await archive(month);
    expect(again).toMatchObject({ status: 200, json: { created: false } });
    // The traffic's messages of this month, moved by the new role into the table from before.
    expect(again.json['moved']).toBeGreaterThan(0);
    const { token } = await signedIn();
    expect(await ask(messaging, `/api/archives/${month}`, { token })).toMatchObject({ status: 200 });
    await nobodyNoticed(people, 'messaging');
  });

  test('what nobody can steer is refused with the reason', async () => {
    for (const args of [
      ['extend', MESSAGING, 'soon', ...BEN],
      ['extend', `messaging/${KEY}`, '6h', ...BEN],
      ['drop-now', MESSAGING, ...BEN],
    ]) {
      const { exitCode, stderr } = await stage.keyturn(...args);
      expect({ args, exitCode }).not.toEqual({ args, exitCode: 0 });
      expect(stderr).toMatch(/^error: .*\nhint: /m);
    }
  });
});

/** @returns what it printed. */
async function said(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await stage.keyturn(...args);
  expect(exitCode, `keyturn ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

async function traffic(system: ExampleSystem, name: 'messaging' | 'mgmt-vibe'): Promise<Traffic> {
  const people = await startTraffic([system], { people: 4, rate: 20 });
  onTestFinished(async () => {
    await people.stop();
  });
  expect(people.counts(name).failed).toBe(0);
  return people;
}

async function nobodyNoticed(people: Traffic, name: 'messaging' | 'mgmt-vibe'): Promise<void> {
  const { served, failed, refused } = (await people.stop()).get(name)!;
  expect({ failed, refused }, people.failures(name).join('\n')).toEqual({ failed: 0, refused: 0 });
  expect(served).toBeGreaterThan(0);
}

async function connected(url: string, application: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: application });
  // The server ends it one day.
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** A table that somebody else owns. */
async function tableOfOthers(): Promise<string> {
  const owner = freshRoleName('reporting');
  await query(board, `CREATE ROLE ${owner}`);
  await query(board, `GRANT CREATE ON SCHEMA public TO ${owner}`);
  await query(board, `SET ROLE ${owner}; CREATE TABLE yearly_report (n int); RESET ROLE`);
  return 'yearly_report';
}

async function signedIn(): Promise<{ token: unknown }> {
  const { json } = await logIn(messaging);
  return { token: json['accessToken'] };
}

async function archive(month: string): ReturnType<typeof ask> {
  const { token } = await signedIn();
  return await ask(messaging, `/api/archives/${month}`, { method: 'POST', token });
}

function shapeOf(roles: readonly { name: string; login: boolean }[]): object[] {
  return roles.map(({ name, login }) => ({ name, login }));
}
