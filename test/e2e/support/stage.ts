/**
 * Around the example systems of an end-to-end test: a Temporal server of its own, a ledger of its own, workers and commands as
 * child processes of the compiled program. Everything is gone when the file is done.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { execa } from 'execa';
import type { ExampleSystem } from '../../../src/demo/systems.js';
import { STATUS_QUERY } from '../../../src/domain/messages.js';
import type { RunStatus } from '../../../src/domain/status.js';
import { temporaryDirectory } from '../../../src/embedded/directories.js';
import { spawnGuarded } from '../../../src/embedded/reaper.js';
import { startTemporalServer, type TemporalServer } from '../../../src/embedded/temporal-server.js';
import { EXAMPLES } from '../../examples/support/running-system.js';
import { afterwards } from '../../support/afterwards.js';
import { RUN_MARK } from '../../support/leaks.js';
import { freshLedger } from '../../support/ledgers.js';

const { PENDING_ACTIVITY_STATE_STARTED } = proto.temporal.api.enums.v1.PendingActivityState;
const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

/** A net for a busy machine: a lost worker is noticed after 15 s, a lost workflow task after 10 s. */
export const PATIENCE_MS = 120_000;
/** `rotate --wait` of a run that is first retried and then undone. */
const COMMAND_MS = 480_000;
/** A query that no worker answers is asked again. */
const QUERY_MS = 3_000;

export interface WorkerProcess {
  readonly pid: number;
  /** `kill -9` of this process alone: what it has started goes on, as after a crash. */
  kill9(): Promise<NodeJS.Signals | null>;
}

export interface Said {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Stage {
  readonly temporal: TemporalServer;
  readonly client: Client;
  readonly ledgerUrl: string;
  readonly ledgerOwnerUrl: string;
  /** Where all workers of this stage log, one after the other. */
  readonly workerLog: string;
  /** Resolves when it polls. @param program another build than this clone's: its cli/main.js. */
  startWorker(program?: string): Promise<WorkerProcess>;
  keyturn(...args: string[]): Promise<Said>;
  /** Asks for the run's status until it is so. */
  until(handle: WorkflowHandle, what: (status: RunStatus) => boolean): Promise<RunStatus>;
  /** Waits until a worker is carrying out this activity in this step. */
  untilDoing(handle: WorkflowHandle, step: string, activity: string): Promise<void>;
}

/** What the image (Dockerfile) sets for a worker's memory. */
const IMAGE = { MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--max-semi-space-size=4' };

/** @param purpose name of the ledger's database, and of the workspace. */
export async function openStage(
  purpose: string,
  systems: readonly ExampleSystem[],
  {
    logLevel = 'info',
    keepTemporal = false,
    ui = false,
    inventory = EXAMPLES,
  }: { logLevel?: string; keepTemporal?: boolean; ui?: boolean; inventory?: string } = {},
): Promise<Stage> {
  const workspace = await temporaryDirectory(purpose);
  const home = workspace.path;
  const temporal = await startTemporalServer({
    logFile: join(home, 'temporal.log'),
    ui,
    ...(keepTemporal ? { dbFile: join(home, 'temporal.db') } : {}),
  });
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  const { url: ledgerUrl, ownerUrl: ledgerOwnerUrl } = await freshLedger(purpose);
  const workerLog = join(home, 'worker.log');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    NO_COLOR: '1',
    [RUN_MARK]: process.env[RUN_MARK] ?? '',
    TEMPORAL_ADDRESS: temporal.address,
    KEYTURN_DATABASE_URL: ledgerUrl,
    KEYTURN_FINGERPRINT_KEY: randomBytes(32).toString('hex'),
    KEYTURN_LOG_LEVEL: logLevel,
    ...(Object.assign({}, ...systems.map(({ variables }) => variables)) as Record<string, string>),
  };
  const options = ['--inventory', inventory];
  const workers: { stop(): Promise<unknown> }[] = [];
  afterwards(async () => {
    // The worker first: it finishes what it is doing while its servers still answer.
    await Promise.all(workers.map((worker) => worker.stop()));
    await connection.close();
    await temporal.stop();
    await workspace.remove();
  });

  const until: Stage['until'] = (handle, what) =>
    poll('the status', async () => {
      const status = await client.withDeadline(Date.now() + QUERY_MS, () => handle.query<RunStatus>(STATUS_QUERY));
      const failed = status.steps.flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${error}`]));
      const seen = [status.phase, status.report?.outcome ?? 'running', ...failed].join(', ');
      return what(status) ? { value: status } : { seen };
    });

  return {
    temporal,
    client,
    ledgerUrl,
    ledgerOwnerUrl,
    workerLog,
    until,
    async startWorker(program = MAIN) {
      const before = await textOf(workerLog);
      const guarded = await spawnGuarded(process.execPath, [program, ...options, 'worker'], {
        cwd: home,
        env: { ...env, ...IMAGE },
        logFile: workerLog,
      });
      workers.push(guarded);
      await poll('the worker', async () => {
        if (guarded.exit) throw new Error(`the worker has ended:\n${await textOf(workerLog)}`);
        const said = (await textOf(workerLog)).slice(before.length);
        return said.includes('worker for task queue') ? { value: true } : { seen: said.slice(-500) };
      });
      return {
        pid: guarded.pid,
        kill9: async () => {
          process.kill(guarded.pid, 'SIGKILL');
          return (await guarded.exited).signal;
        },
      };
    },
    async keyturn(...args) {
      const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, ...options, ...args], {
        cwd: home,
        env,
        extendEnv: false,
        reject: false,
        timeout: COMMAND_MS,
      });
      return { exitCode, stdout, stderr };
    },
    async untilDoing(handle, step, activity) {
      await until(handle, ({ steps }) => steps.some(({ name, state }) => name === step && state === 'running'));
      await poll(`${activity} in "${step}"`, async () => {
        const { pendingActivities } = (await handle.describe()).raw;
        const doing = pendingActivities?.find(({ activityType }) => activityType?.name === activity);
        return doing?.state === PENDING_ACTIVITY_STATE_STARTED
          ? { value: true }
          : { seen: pendingActivities?.[0]?.activityType?.name ?? 'nothing' };
      });
    },
  };
}

type Look<T> = { readonly value: T } | { readonly seen: string };

/** Errors count as "not yet": servers and workers come and go here. */
export async function poll<T>(what: string, look: () => Promise<Look<T>>, patience = PATIENCE_MS): Promise<T> {
  const deadline = Date.now() + patience;
  let last = 'nothing';
  while (Date.now() < deadline) {
    try {
      const found = await look();
      if ('value' in found) return found.value;
      last = found.seen;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(50);
  }
  throw new Error(`${what} never came; last seen: ${last}`);
}

export function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
