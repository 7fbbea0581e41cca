/**
 * Swaps of every kind on real applications — a first and a second generation, a leak, a password in place, one that fails on the
 * server — and then a search of everything that was written meanwhile, PostgreSQL's log with every statement included, for every
 * password there was, in any form.
 */
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { WorkflowHandle } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { scramVerifier } from '../../src/databases/access/scram.js';
import { exportHistories, searchFor } from '../../src/demo/leaks.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { startTraffic } from '../../src/demo/traffic.js';
import type { RotationReport } from '../../src/domain/report.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import { query, readSetting, runningSystems, variable } from '../examples/support/running-system.js';
import { dropRoleAfterwards } from '../support/servers.js';
import { openStage, poll, textOf, type Stage } from './support/stage.js';
import { keeps, MINUTES, observes, rolesOf, swapsOn, sweepRoles, type Swaps } from './support/swaps.js';
import { collectValues, type Collector } from './support/values.js';

const MESSAGING = 'messaging/staging/DATABASE_URL';
const PATIENCE_MS = 400_000;

let systems: ExampleSystem[];
let messaging: ExampleSystem;
let stage: Stage;
let swaps: Swaps;
let collector: Collector;
/** Of the log of the shared PostgreSQL when this file began; what came before is other files'. */
let postgresLogStart: number;
/** Everything that commands printed. */
let printed = '';
/** The name for which a swap's own statement failed on the server. */
let conflicting = '';

beforeAll(async () => {
  postgresLogStart = (await stat(inject('postgresLog'))).size;
  systems = await runningSystems('messaging/staging', 'mediavault', 'hms');
  messaging = systemOf('messaging');
  sweepRoles(systems);
  stage = await openStage('swap_kinds', systems, { logLevel: 'debug' });
  swaps = swapsOn(stage);
  await stage.startWorker();
  collector = collectValues(systems);
}, PATIENCE_MS);

afterAll(() => collector.stop());

describe('messaging', { timeout: PATIENCE_MS }, () => {
  test('a name that is taken fails on the server, and everything is as before', async () => {
    const before = readSetting(messaging, 'DATABASE_URL');
    const handle = await started(MESSAGING);
    // The role's name is known once the run is, and somebody was quicker.
    const name = await poll('the name', async () => {
      const { steps } = await stage.until(handle, () => true);
      const found = steps.map((step) => /^Create the role (\S+)$/.exec(step.name)?.[1]).find(Boolean);
      return found ? { value: found } : { seen: 'no such step' };
    });
    dropRoleAfterwards(name);
    const theirs = new SecretValue(randomBytes(24).toString('hex'));
    const other = new pg.Client({ connectionString: variable(messaging, '_ADMIN_URL') });
    await other.connect();
    onTestFinished(() => other.end());
    // Not yet to be seen, but in the way: the swap's own statement waits for it, and then fails.
    await other.query('BEGIN');
    await other.query(`CREATE ROLE ${name} LOGIN PASSWORD ${pg.escapeLiteral(scramVerifier(theirs, 'theirs'))}`);
    await poll('its statement', async () => {
      const [waiting] = await query(
        messaging,
        `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE ROLE "${name}"%'`,
      );
      return waiting ? { value: true } : { seen: 'nobody waits' };
    });
    await other.query('COMMIT');
    conflicting = name;
    const url = new URL(readSetting(messaging, 'DATABASE_URL'));
    [url.username, url.password] = [name, theirs.reveal()];
    const atWork = new pg.Client({ connectionString: url.href });
    atWork.on('error', () => undefined);
    await atWork.connect();
    onTestFinished(() => atWork.end());
    await expect(handle.result()).rejects.toThrow();
    const { report } = await stage.until(handle, (status) => status.report !== null);
    expect(report?.outcome).toBe('rolled back');
    expect(report?.steps.map(({ error }) => error ?? '').join()).toContain(`the role ${name} exists`);
    expect(readSetting(messaging, 'DATABASE_URL')).toBe(before);
    // Whoever it belongs to works on.
    expect((await atWork.query<{ user: string }>('SELECT current_user::text AS user')).rows).toEqual([{ user: name }]);
    expect(await query(messaging, `SELECT rolcanlogin AS login FROM pg_roles WHERE rolname = '${name}'`)).toEqual([
      { login: true },
    ]);
  });

  test('the first generation becomes the group; the second is really dropped', async () => {
    const names: string[] = [];
    for (const generation of [1, 2]) {
      const handle = await started(MESSAGING);
      await stage.until(handle, keeps);
      await swaps.skip(handle, 60 * MINUTES);
      await stage.until(handle, observes);
      await swaps.skip(handle, 1 * MINUTES);
      expect(await outcomeOf(handle), `generation ${generation}`).toBe('completed');
      names.push(roleInUse());
    }
    expect(new Set(names).size).toBe(2);
    expect(shapeOf(await rolesOf(messaging))).toEqual([
      { name: messaging.role, login: false },
      { name: names[1], login: true },
    ]);
    expect(await query(messaging, `SELECT FROM pg_roles WHERE rolname = '${names[0] ?? ''}'`)).toEqual([]);
  });

  test('after a leak nothing is kept: the leaked credential is refused at once, and open sessions with it end', async () => {
    const people = await startTraffic([messaging], { people: 4, rate: 20 });
    const leaked = readSetting(messaging, 'DATABASE_URL');
    const old = roleInUse();
    const thief = new pg.Client({ connectionString: leaked });
    thief.on('error', () => undefined);
    await thief.connect();
    const handle = await started(MESSAGING, '--reason', 'leak');
    const report = (await handle.result()) as RotationReport;
    expect(report.outcome).toBe('completed');
    // No day, no watching, no waiting for a decision: only steps that do something.
    expect(report.steps.filter(({ name }) => /^(Keep|Watch for rejected|See that nobody)/.test(name))).toEqual([]);
    await expect(thief.query('SELECT 1')).rejects.toThrow();
    await thief.end();
    const again = new pg.Client({ connectionString: leaked });
    await expect(again.connect()).rejects.toThrow();
    await again.end();
    expect(shapeOf(await rolesOf(messaging))).toEqual([
      { name: messaging.role, login: false },
      { name: roleInUse(), login: true },
    ]);
    expect(roleInUse()).not.toBe(old);
    const { failed, refused } = (await people.stop()).get('messaging')!;
    expect({ failed, refused }, people.failures('messaging').join('\n')).toEqual({ failed: 0, refused: 0 });
  });
});

describe('a user name that is fixed', { timeout: PATIENCE_MS }, () => {
  test.each([
    ['mediavault', 'mediavault/production/DB_PASSWORD', 'DB_PASSWORD', ['wave', 'drop']],
    ['hms', 'hms/local/DATABASE_URL', 'DATABASE_URL', []],
  ] as const)(
    '%s gets a new password in place; the old one opens nothing, and its sessions are over',
    async (name, ref, key, gates) => {
      const system = systemOf(name);
      const [before, oldUrl] = [readSetting(system, key), urlOf(system)];
      const open = new pg.Client({ connectionString: oldUrl, application_name: 'opened before' });
      open.on('error', () => undefined);
      await open.connect();
      const people = await startTraffic([system], { people: 4, rate: 20 });
      const running = keyturn('rotate', ref, '--operator', 'ana@example.test', '--wait');
      for (const gate of gates) await swaps.approve(swaps.runOf(ref), gate);
      const { exitCode, stdout, stderr } = await running;
      expect(exitCode, `${stdout}\n${stderr}`).toBe(0);
      expect(readSetting(system, key)).not.toBe(before);
      expect(shapeOf(await rolesOf(system))).toEqual([{ name: system.role, login: true }]);
      await expect(open.query('SELECT 1')).rejects.toThrow();
      await open.end();
      const again = new pg.Client({ connectionString: oldUrl });
      await expect(again.connect()).rejects.toThrow('password authentication failed');
      await again.end();
      const fresh = new pg.Client({ connectionString: urlOf(system) });
      await fresh.connect();
      await fresh.end();
      const { refused } = (await people.stop()).get(name)!;
      expect(refused, people.failures(name).join('\n')).toBe(0);
      // Between the new password and the deploy a pool that needs one more connection does not get it: that is the price of a name
      // that stays. So requests may fail in that one step, and never outside it.
      const { steps } = (await swaps.runOf(ref).result()) as RotationReport;
      const { startedAt = '', seconds = 0 } = steps.find((step) => step.name === 'Switch to the new credential')!;
      const [from, to] = [Date.parse(startedAt), Date.parse(startedAt) + seconds * 1_000];
      const outside = people.failures(name).filter((line) => {
        const at = Date.parse(line.split(' ')[0]!);
        return !(at >= from && at <= to);
      });
      expect(outside).toEqual([]);
    },
  );
});

describe('what was written meanwhile', { timeout: PATIENCE_MS }, () => {
  test('no password stands anywhere: histories, logs, output, ledger, statements', async () => {
    for (const args of [['status'], ['log'], ['log', '--csv'], ['plan', MESSAGING], ['status', MESSAGING]]) {
      await keyturn(...args);
      await keyturn(...args, '--json');
    }
    await collector.stop();
    // Three of messaging that came into use, one that did not, and one of each of the others; each was seen before it was used.
    expect(collector.staged).toBeGreaterThanOrEqual(6);

    const runs = await poll('6 histories', async () => {
      const texts = await exportHistories(stage.client);
      return rotationsIn(texts) === 6 ? { value: texts } : { seen: [...texts.keys()].join(', ') };
    });
    const texts = new Map([
      ...runs,
      ['worker log', await textOf(stage.workerLog)],
      ['Temporal log', await textOf(stage.temporal.logFile)],
      ['commands', printed],
      ['ledger', await ledgerTable()],
      ['PostgreSQL log', (await readFile(inject('postgresLog'))).subarray(postgresLogStart).toString('latin1')],
    ]);
    const log = texts.get('PostgreSQL log') ?? '';
    // It is the log that it should be: every statement, and the one that failed.
    for (const [text, least] of [
      ['SCRAM-SHA-256$', 6],
      ['CREATE ROLE', 4],
      [`STATEMENT:  CREATE ROLE "${conflicting}" LOGIN PASSWORD 'SCRAM-SHA-256$`, 1],
    ] as const)
      expect(log.split(text).length - 1, text.slice(0, 20)).toBeGreaterThanOrEqual(least);
    for (const [place, text] of texts) {
      if (place !== 'Temporal log') expect(text.length, `nothing was read from ${place}`).toBeGreaterThan(500);
    }
    expect(searchFor(collector.values, texts).found).toEqual([]);
    // The search would have found it.
    const [some = ''] = [...collector.values].slice(-1);
    expect(searchFor(collector.values, new Map([['here', `… ${some} …`]])).found).toEqual(['here']);
  });
});

function systemOf(name: ExampleSystem['name']): ExampleSystem {
  return systems.find((system) => system.name === name)!;
}

async function keyturn(...args: string[]): ReturnType<Stage['keyturn']> {
  const said = await stage.keyturn(...args);
  printed += `$ keyturn ${args.join(' ')}\n${said.stdout}\n${said.stderr}\n`;
  return said;
}

async function started(ref: string, ...more: string[]): Promise<WorkflowHandle> {
  const { exitCode, stderr } = await keyturn('rotate', ref, '--operator', 'ana@example.test', ...more);
  expect(exitCode, stderr).toBe(0);
  const { runId } = await swaps.runOf(ref).describe();
  return stage.client.workflow.getHandle(`rotate:${ref}`, runId);
}

async function outcomeOf(handle: WorkflowHandle): Promise<string> {
  return ((await handle.result()) as RotationReport).outcome;
}

function roleInUse(): string {
  return new URL(readSetting(messaging, 'DATABASE_URL')).username;
}

/** As the application logs in. */
function urlOf(system: ExampleSystem): string {
  if (system.name !== 'mediavault') return readSetting(system, 'DATABASE_URL');
  const url = new URL(variable(system, '_ADMIN_URL'));
  [url.username, url.password] = [
    readSetting(system, 'DB_USER'),
    encodeURIComponent(readSetting(system, 'DB_PASSWORD')),
  ];
  return url.href;
}

function shapeOf(roles: readonly { name: string; login: boolean }[]): object[] {
  return roles.map(({ name, login }) => ({ name, login }));
}

async function ledgerTable(): Promise<string> {
  const client = new pg.Client({ connectionString: stage.ledgerUrl });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    let text = '';
    for (const { name } of tables) {
      const { rows } = await client.query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM ${name} t`);
      text += rows.map(({ row }) => `${row}\n`).join('');
    }
    return text;
  } finally {
    await client.end();
  }
}

/** Locks on services have histories too, which are searched as well. */
function rotationsIn(texts: ReadonlyMap<string, string>): number {
  return [...texts.keys()].filter((name) => /^history of (?!service:|plan:)/.test(name)).length;
}
