/**
 * mediavault on a real Docker Engine, rotated by the commands of document 000: `docker compose --env-file .env up -d`, `ps`,
 * `logs --tail=80 backend`; its PostgreSQL is beside it instead of in the project.
 */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import proto from '@temporalio/proto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { searchFor } from '../../src/demo/leaks.js';
import type { RotationReport, StepRecord } from '../../src/domain/report.js';
import type { LedgerRow } from '../../src/ledger/ledger.js';
import { engineIsMissing } from '../support/engine.js';
import { freshLedger } from '../support/ledgers.js';
import { freshTaskQueue, temporalClient } from '../support/servers.js';
import { composeProject, type ComposeProject } from './support/compose-project.js';
import { composeWorker, type ComposeWorker } from './support/compose-worker.js';
import type { Said } from './support/stage.js';

const { History } = proto.temporal.api.history.v1;
const REF = 'mediavault/compose/SESSION_SECRET';
const SWITCH = 'Switch to the new value';

describe.skipIf(engineIsMissing('e2e/compose.deep.test.ts') !== null)('mediavault under Docker Compose', () => {
  let project: ComposeProject;
  let worker: ComposeWorker;
  let client: Client;
  const started: { project?: ComposeProject; worker?: ComposeWorker } = {};

  beforeAll(async () => {
    const taskQueue = freshTaskQueue('compose');
    client = await temporalClient();
    project = started.project = await composeProject(taskQueue);
    // As the runbook starts it, and as a person would see it come up.
    await project.compose('up', '-d', '--wait', 'backend');
    worker = started.worker = await composeWorker(project, taskQueue, (await freshLedger('compose_ledger')).url);
  }, 240_000);

  // What came up goes, also when the rest did not. Here and not where they are made: a hook registered by a hook never runs.
  afterAll(async () => {
    await started.worker?.stop();
    await started.project?.remove();
  }, 120_000);

  test('a rotation replaces the container; the new value signs, the old one is refused, nothing shows either', async () => {
    const [before, old] = [await project.container(), project.read('SESSION_SECRET')];
    const cookie = await project.signIn();
    expect(await project.answerTo(cookie)).toBe(200);
    const others = project.text().toString().replace(old, '');

    const said = await rotate();
    expect(said, said.stderr).toMatchObject({ exitCode: 0 });
    const value = project.read('SESSION_SECRET');
    expect(value).toMatch(/^[0-9a-f]{64}$/);
    expect(value).not.toBe(old);
    expect(project.text().toString().replace(value, '')).toBe(others);
    expect(besideTheFile()).toEqual(['.env']);

    const after = await project.container();
    expect(after.id).not.toBe(before.id);
    expect(after).toMatchObject({ sessionSecret: value, health: 'healthy' });
    expect(await project.compose('ps', 'backend')).toContain('(healthy)');

    expect(await project.answerTo(cookie), 'the session is gone').toBe(401);
    const fresh = await project.signIn();
    expect(await project.answerTo(project.signedWith(fresh, value))).toBe(200);
    expect(await project.answerTo(project.signedWith(fresh, old))).toBe(401);

    const { steps } = await reportOf(said);
    const named = (name: string): StepRecord | undefined => steps.find((step) => step.name === name);
    expect(named(SWITCH)?.evidence?.summary).toMatch(
      /docker compose --env-file \.env up -d backend ended in .*: 1 recreated, 1 started, 0 left running; health passed 3 times/,
    );
    const { before: live, after: left } = named('End all sessions')?.evidence?.facts ?? {};
    expect(live).toBeGreaterThanOrEqual(1);
    expect(left).toBe(0);
    expect(named('Prove that the old value is refused')?.evidence?.facts).toMatchObject({ refused: 5 });

    const row = await lastRow();
    expect(row).toMatchObject({
      outcome: 'completed',
      method: 'replace',
      operator: 'ana@example.test',
      evidence: [{ name: 'Pin the plan' }, ...steps.slice(0, -1), { name: 'Record in the ledger' }],
    });
    expect(row.nextDueAt).not.toBeNull();
    await expectNowhere([old, value, ...project.otherSecrets], said);
  }, 300_000);

  test('a value that breaks the service is taken back, and its last log lines say why', async () => {
    await acceptOnly(project.read('SESSION_SECRET'));
    await project.compose('up', '-d', '--wait', 'backend');
    const [file, before] = [project.text(), await project.container()];
    const cookie = await project.signIn();

    const said = await rotate();
    expect(said, said.stderr).toMatchObject({ exitCode: 3 });
    expect(said.stderr).toMatch(
      new RegExp(
        `^error: "${SWITCH}" failed: backend is not healthy: health did not pass within .*everything is as it was before$`,
        'm',
      ),
    );
    expect(project.text().equals(file), 'byte for byte').toBe(true);
    expect(besideTheFile()).toEqual(['.env']);
    const after = await project.container();
    expect(after.id).not.toBe(before.id);
    expect(after.sessionSecret).toBe(before.sessionSecret);
    await expect.poll(async () => (await project.container()).health, { timeout: 60_000 }).toBe('healthy');
    expect(await project.answerTo(cookie), 'nobody was logged out').toBe(200);

    const report = await reportOf(said);
    const step = report.steps.find(({ name }) => name === SWITCH)!;
    expect(step.state).toBe('undone');
    expect(step.error?.split('\n')).toHaveLength(1);
    expect(step.evidence?.summary).toMatch(/^the old value serves again/);
    expectLastWords(step.diagnosis);

    const { events = [] } = await history(said);
    const failures = (events ?? []).flatMap(({ activityTaskFailedEventAttributes: failed }) => failed?.failure ?? []);
    expect(failures.map(({ message }) => message)).toEqual([step.error]);
    const [payload] = failures[0]?.applicationFailureInfo?.details?.payloads ?? [];
    const details = JSON.parse(Buffer.from(payload?.data ?? []).toString()) as { diagnosis: string };
    expect(details.diagnosis, 'the failure itself carries what its service last said').toBe(step.diagnosis);

    const status = await worker.keyturn('status', REF);
    expectLastWords(status.stdout.replaceAll(/^ {4}\| /gm, ''));
    expect(said.stdout).toContain('lines are left out here');
    expect(said.stdout).toContain('mediavault: cannot start: does not like [$SESSION_SECRET]');
    const row = await lastRow();
    expect(row).toMatchObject({ outcome: 'rolled back', nextDueAt: null });
    expect(row.notes).toContain(`${SWITCH}: backend is not healthy`);
    expect(row.notes).not.toContain('\n');
    expectLastWords(row.evidence.find(({ name }) => name === SWITCH)?.diagnosis);
    await expectNowhere([project.read('SESSION_SECRET'), ...project.otherSecrets], said, status);
  }, 300_000);

  test('an .env that is itself a mount is refused in the first step, and nothing is changed', async (context) => {
    try {
      execFileSync('mount', ['--bind', project.envFile, project.envFile], { stdio: 'pipe' });
    } catch {
      console.warn('the test of a bind-mounted .env is skipped: this user may not mount');
      return context.skip();
    }
    onTestFinished(() => void execFileSync('umount', [project.envFile]));
    const [file, before] = [project.text(), await project.container()];
    const said = await rotate();
    expect(said.exitCode).toBe(1);
    expect(said.stderr).toMatch(
      /"Check that everything is ready" failed: .*is itself a mount point.*nothing was changed$/m,
    );
    const { steps } = await reportOf(said);
    expect(steps.map(({ state }) => state)).toEqual(['failed', ...steps.slice(1).map(() => 'skipped')]);
    expect(project.text().equals(file)).toBe(true);
    expect(besideTheFile()).toEqual(['.env']);
    expect(await project.container()).toEqual(before);
  }, 200_000);

  const rotate = (): Promise<Said> =>
    worker.keyturn('rotate', REF, '--operator', 'ana@example.test', '--reason', 'routine', '--wait');

  /** From now on the application starts only with this value; with another one it repeats secrets at length, and ends. */
  async function acceptOnly(value: string): Promise<void> {
    const digest = createHash('sha256').update(value).digest('hex');
    await project.write(
      'picky.mjs',
      `import { createHash } from 'node:crypto';
       const { SESSION_SECRET: value, DB_PASSWORD: password } = process.env;
       if (createHash('sha256').update(value).digest('hex') === '${digest}') await import('/srv/examples/mediavault/app/server.js');
       else {
         for (let line = 1; line <= 100; line += 1) console.error('mediavault: line ' + line + ' of its start, as ' + password);
         console.error('mediavault: in base64 ' + Buffer.from(value).toString('base64'));
         console.error('mediavault: cannot start: does not like ' + value);
         process.exitCode = 1;
       }`,
    );
    const backend = { command: ['node', '/srv/picky.mjs'], volumes: ['./picky.mjs:/srv/picky.mjs:ro'] };
    await project.write('docker-compose.override.yml', JSON.stringify({ services: { backend } }));
  }

  /** `ps` state first, then the last of 80 log lines, the values in them masked. */
  function expectLastWords(text: string | undefined): void {
    expect(text).toMatch(/^backend: (restarting|exited)/m);
    expect(text).toContain('--- backend, last 80 log lines');
    expect(text).toContain('mediavault: line 100 of its start, as [$DB_PASSWORD]');
    expect(text).toContain('mediavault: in base64 [$SESSION_SECRET]');
    expect(text).toContain('mediavault: cannot start: does not like [$SESSION_SECRET]');
  }

  function besideTheFile(): string[] {
    return readdirSync(project.directory).filter((name) => name.includes('env') || name.includes('keyturn'));
  }

  function runIdOf(said: Said): string {
    return /\(rotateSessionSecret, run ([0-9a-f-]{36})\)/.exec(said.stdout)?.[1] ?? '';
  }

  function history(said: Said) {
    return client.workflow.getHandle(`rotate:${REF}`, runIdOf(said)).fetchHistory();
  }

  async function reportOf(said: Said): Promise<RotationReport> {
    const { stdout } = await worker.keyturn('status', REF, '--json');
    const { runs } = JSON.parse(stdout) as { runs: [{ runId: string; ending: { reports: [RotationReport] } }] };
    expect(runs[0].runId).toBe(runIdOf(said));
    return runs[0].ending.reports[0];
  }

  async function lastRow(): Promise<LedgerRow> {
    const { stdout } = await worker.keyturn('log', REF, '--limit', '1', '--json');
    const { rows } = JSON.parse(stdout) as { rows: LedgerRow[] };
    return rows[0]!;
  }

  async function expectNowhere(values: readonly string[], said: Said, ...more: Said[]): Promise<void> {
    const encoded = Buffer.from(History.encode(await history(said)).finish()).toString('latin1');
    const texts = new Map([
      ['history', encoded],
      ['log of the worker', await worker.log()],
      ['ledger', JSON.stringify(await lastRow())],
      ...[said, ...more].map(({ stdout, stderr }, n) => [`transcript ${n}`, stdout + stderr] as const),
    ]);
    const { found, characters } = searchFor(values, texts);
    expect(found).toEqual([]);
    expect(characters).toBeGreaterThan(10_000);
  }
});
