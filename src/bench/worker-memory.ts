/**
 * `npm run bench:worker`: a worker's memory at rest and with many runs waiting at a gate, and what a run costs in history.
 * Everything is real but the services, which deploy by `true`. `--runs N` (200), `--json`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { rotationWorkflowId, type SecretRef } from '../domain/refs.js';
import { SEARCH_ATTRIBUTES } from '../domain/status.js';
import { startPostgres } from '../embedded/postgres.js';
import { spawnGuarded } from '../embedded/reaper.js';
import { createShutdown, type Shutdown } from '../embedded/shutdown.js';
import { startTemporalServer } from '../embedded/temporal-server.js';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const SECRETS = 5;
/** For the worker to come to rest after its start, and after the last run has come to its gate. */
const SETTLE_MS = 5_000;
const PATIENCE_MS = 600_000;

interface Figures {
  readonly runs: number;
  readonly rssAtRestMb: number;
  readonly rssWaitingMb: number;
  readonly kbPerRun: number;
  readonly secondsUntilAllWait: number;
  readonly eventsUntilGate: number;
  readonly eventsOfACompletedRun: number;
}

async function measure(runs: number, shutdown: Shutdown): Promise<Figures> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-bench-'));
  shutdown.add('workspace', () => rm(directory, { recursive: true, force: true }));
  await writeInventory(directory, runs);
  const temporal = await startTemporalServer({});
  shutdown.add('Temporal', () => temporal.stop());
  const postgres = await startPostgres({});
  shutdown.add('PostgreSQL', () => postgres.stop());
  const worker = await spawnGuarded(process.execPath, [MAIN, '--inventory', join(directory, 'systems'), 'worker'], {
    logFile: join(directory, 'worker.log'),
    env: {
      ...process.env,
      TEMPORAL_ADDRESS: temporal.address,
      KEYTURN_DATABASE_URL: await postgres.createDatabase('ledger'),
      KEYTURN_FINGERPRINT_KEY: randomBytes(32).toString('hex'),
      KEYTURN_LOG_LEVEL: 'warn',
    },
  });
  shutdown.add('worker', () => worker.stop());
  const connection = await Connection.connect({ address: temporal.address });
  shutdown.add('connection', () => connection.close());
  const client = new Client({ connection });

  await until(async () =>
    (await readFile(join(directory, 'worker.log'), 'utf8').catch(() => '')).includes('task queue'),
  );
  await sleep(SETTLE_MS);
  const rssAtRestMb = await rssOf(worker.pid);

  const startedAt = performance.now();
  for (let index = 0; index < runs; index += 1) await start(client, index);
  await until(async () => (await waitingRuns(client)) === runs);
  const secondsUntilAllWait = (performance.now() - startedAt) / 1_000;
  await sleep(SETTLE_MS);
  const rssWaitingMb = await rssOf(worker.pid);

  const one = client.workflow.getHandle(rotationWorkflowId(refOf(0)));
  const eventsUntilGate = (await one.fetchHistory()).events?.length ?? 0;
  await one.executeUpdate('approve', { args: [{ by: 'ben@example.test' }] });
  await one.result();
  const eventsOfACompletedRun = (await one.fetchHistory()).events?.length ?? 0;
  const kbPerRun = ((rssWaitingMb - rssAtRestMb) * 1_024) / runs;
  return { runs, rssAtRestMb, rssWaitingMb, kbPerRun, secondsUntilAllWait, eventsUntilGate, eventsOfACompletedRun };
}

/** Five secrets a system, as the example systems have: nobody keeps two hundred in one file. */
async function writeInventory(directory: string, runs: number): Promise<void> {
  await mkdir(join(directory, 'systems'));
  const secret = '{ kind: session, store: env, generator: hex:32, cadence: 90d, services: [web] }';
  for (let system = 0; system * SECRETS < runs; system += 1) {
    const names = Array.from({ length: SECRETS }, (_, index) => `SECRET_${index}`);
    const lines = names.map((name) => `${name}=${randomBytes(32).toString('hex')}`);
    await writeFile(join(directory, `${system}.env`), `${lines.join('\n')}\n`, { mode: 0o600 });
    const text = [
      `system: bench-${system}`,
      `stores: { env: { type: dotenv, file: ../${system}.env } }`,
      'services: { web: { deploy: { type: command, argv: ["true"] }, health: [well] } }',
      'checks: { well: { type: command, argv: ["true"], passes: 1 } }',
      'environments: [{ name: production, tier: production, approval: { gates: [promote] } }]',
      'secrets:',
      ...names.map((name) => `  ${name}: ${secret}`),
    ];
    await writeFile(join(directory, 'systems', `bench-${system}.yaml`), `${text.join('\n')}\n`);
  }
}

function refOf(index: number): SecretRef {
  return {
    system: `bench-${Math.floor(index / SECRETS)}`,
    environment: 'production',
    secret: `SECRET_${index % SECRETS}`,
  };
}

async function start(client: Client, index: number): Promise<void> {
  const ref = refOf(index);
  await client.workflow.start('rotateSessionSecret', {
    workflowId: rotationWorkflowId(ref),
    taskQueue: 'keyturn',
    args: [{ ...ref, operator: 'ana@example.test', reason: 'routine' }],
  });
}

/** A server under load may not answer in time: it is asked again. */
async function waitingRuns(client: Client): Promise<number | null> {
  const query = `${SEARCH_ATTRIBUTES.awaitingApproval} = true AND ExecutionStatus = "Running"`;
  return await client.workflow.count(query).then(
    ({ count }) => count,
    () => null,
  );
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('what was waited for did not come');
    await sleep(500);
  }
}

/** Linux only: resident memory as the kernel counts it. */
async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024;
}

function print(figures: Figures, json: boolean): void {
  const rounded = Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, Math.round(Number(value))]));
  if (json) return void process.stdout.write(`${JSON.stringify(rounded, null, 2)}\n`);
  for (const [key, value] of Object.entries(rounded)) process.stdout.write(`${key.padEnd(24)}${value}\n`);
}

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '200' }, json: { type: 'boolean', default: false } },
});
const shutdown = createShutdown();
try {
  print(await measure(Number(values.runs), shutdown), values.json);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await shutdown.run();
  shutdown.detach();
}
