/**
 * `npm run bench:worker`: what a worker needs at rest and with many runs waiting at a gate, how soon they wait there, what a run
 * costs in history, and how long `keyturn status` takes. Everything is real but the services, which deploy by `true`.
 * `--runs N` (200), `--systems N` (100) and `--secrets N` (20, each) for the inventory, `--json`.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { embeddedLedger } from '../cli/embedded-places.js';
import { rotationWorkflowId, type SecretRef } from '../domain/refs.js';
import { SEARCH_ATTRIBUTES } from '../domain/status.js';
import { startPostgres } from '../embedded/postgres.js';
import { spawnGuarded } from '../embedded/reaper.js';
import { createShutdown, type Shutdown } from '../embedded/shutdown.js';
import { startTemporalServer } from '../embedded/temporal-server.js';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));
/** For the worker to come to rest after its start, and after the last run has come to its gate. */
const SETTLE_MS = 5_000;
const PATIENCE_MS = 600_000;
const STARTERS = 10;
const run = promisify(execFile);

interface Figures {
  readonly runs: number;
  readonly rssAtRestMb: number;
  readonly rssWaitingMb: number;
  readonly kbPerRun: number;
  readonly secondsUntilAllWait: number;
  /** Of the worker, user and system, from the first start until all wait. */
  readonly processorSecondsUntilAllWait: number;
  /** The most that the worker ever had. */
  readonly rssPeakMb: number;
  readonly secondsOfStatus: number;
  readonly eventsUntilGate: number;
  readonly eventsOfACompletedRun: number;
}

interface Size {
  readonly runs: number;
  readonly systems: number;
  /** In each system. */
  readonly secrets: number;
}

async function measure(size: Size, shutdown: Shutdown): Promise<Figures> {
  const { runs } = size;
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-bench-'));
  shutdown.add('workspace', () => rm(directory, { recursive: true, force: true }));
  await writeInventory(directory, size);
  const temporal = await startTemporalServer({});
  shutdown.add('Temporal', () => temporal.stop());
  const postgres = await startPostgres({});
  shutdown.add('PostgreSQL', () => postgres.stop());
  const env = {
    ...process.env,
    TEMPORAL_ADDRESS: temporal.address,
    KEYTURN_INVENTORY: join(directory, 'systems'),
    KEYTURN_DATABASE_URL: await embeddedLedger(postgres),
    KEYTURN_FINGERPRINT_KEY: randomBytes(32).toString('hex'),
    KEYTURN_LOG_LEVEL: 'warn',
  };
  const worker = await spawnGuarded(process.execPath, [MAIN, 'worker'], {
    logFile: join(directory, 'worker.log'),
    env,
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

  const [startedAt, processorAtStart] = [performance.now(), await processorSecondsOf(worker.pid)];
  await startAll(client, size);
  await until(async () => (await waitingRuns(client)) === runs);
  const secondsUntilAllWait = (performance.now() - startedAt) / 1_000;
  const processorSecondsUntilAllWait = (await processorSecondsOf(worker.pid)) - processorAtStart;
  await sleep(SETTLE_MS);
  const rssWaitingMb = await rssOf(worker.pid);
  const rssPeakMb = await peakRssOf(worker.pid);

  const askedAt = performance.now();
  await run(process.execPath, [MAIN, 'status', '--json'], { env, maxBuffer: 256 * 1_048_576 });
  const secondsOfStatus = (performance.now() - askedAt) / 1_000;

  const one = client.workflow.getHandle(rotationWorkflowId(refOf(0, size)));
  const eventsUntilGate = (await one.fetchHistory()).events?.length ?? 0;
  await one.executeUpdate('approve', { args: [{ by: 'ben@example.test' }] });
  await one.result();
  const eventsOfACompletedRun = (await one.fetchHistory()).events?.length ?? 0;
  const kbPerRun = ((rssWaitingMb - rssAtRestMb) * 1_024) / runs;
  return {
    runs,
    rssAtRestMb,
    rssWaitingMb,
    rssPeakMb,
    kbPerRun,
    secondsUntilAllWait,
    processorSecondsUntilAllWait,
    secondsOfStatus,
    eventsUntilGate,
    eventsOfACompletedRun,
  };
}

async function writeInventory(directory: string, { systems, secrets }: Size): Promise<void> {
  await mkdir(join(directory, 'systems'));
  const secret = '{ kind: session, store: env, generator: hex:32, cadence: 90d, services: [web] }';
  for (let system = 0; system < systems; system += 1) {
    const names = Array.from({ length: secrets }, (_, index) => `SECRET_${index}`);
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

/** Spread over the systems. */
function refOf(index: number, { systems }: Size): SecretRef {
  return {
    system: `bench-${index % systems}`,
    environment: 'production',
    secret: `SECRET_${Math.floor(index / systems)}`,
  };
}

/** As a wave of schedules does: faster than they can be carried out, and not all in one instant. */
async function startAll(client: Client, size: Size): Promise<void> {
  const left = Array.from({ length: size.runs }, (_, index) => refOf(index, size));
  const startNext = async (): Promise<void> => {
    for (let ref = left.shift(); ref; ref = left.shift()) {
      await client.workflow.start('rotateSessionSecret', {
        workflowId: rotationWorkflowId(ref),
        taskQueue: 'keyturn',
        args: [{ ...ref, operator: 'ana@example.test', reason: 'routine' }],
      });
    }
  };
  await Promise.all(Array.from({ length: STARTERS }, startNext));
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
function rssOf(pid: number): Promise<number> {
  return megabytesOf(pid, 'VmRSS');
}

function peakRssOf(pid: number): Promise<number> {
  return megabytesOf(pid, 'VmHWM');
}

async function megabytesOf(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1_024;
}

/** Linux counts in hundredths; its programs, which deploy and check, are not among it. */
async function processorSecondsOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function print(figures: Figures, json: boolean): void {
  const rounded = Object.fromEntries(
    Object.entries(figures).map(([key, value]) => [key, Math.round(Number(value) * 10) / 10]),
  );
  if (json) return void process.stdout.write(`${JSON.stringify(rounded, null, 2)}\n`);
  for (const [key, value] of Object.entries(rounded)) process.stdout.write(`${key.padEnd(24)}${value}\n`);
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    systems: { type: 'string', default: '100' },
    secrets: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const shutdown = createShutdown();
try {
  const size = { runs: Number(values.runs), systems: Number(values.systems), secrets: Number(values.secrets) };
  print(await measure(size, shutdown), values.json);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await shutdown.run();
  shutdown.detach();
}
