/** A worker and the command line as programs, for a Compose project, on the Temporal server that the tests share. */
import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { inject } from 'vitest';
import { temporaryDirectory } from '../../../src/embedded/directories.js';
import { spawnGuarded } from '../../../src/embedded/reaper.js';
import { RUN_MARK } from '../../support/leaks.js';
import type { ComposeProject } from './compose-project.js';
import { poll, textOf, type Said } from './stage.js';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
/** A rotation whose service never becomes healthy takes the check's minute, and then its undo. */
const COMMAND_MS = 280_000;

export interface ComposeWorker {
  keyturn(...args: string[]): Promise<Said>;
  /** What the worker has logged so far. */
  log(): Promise<string>;
  /** Lets it come to rest first. */
  stop(): Promise<void>;
}

export async function composeWorker(
  project: ComposeProject,
  taskQueue: string,
  ledgerUrl: string,
): Promise<ComposeWorker> {
  const home = await temporaryDirectory('e2e-worker');
  const logFile = join(home.path, 'worker.log');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home.path,
    NO_COLOR: '1',
    [RUN_MARK]: process.env[RUN_MARK] ?? '',
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    KEYTURN_DATABASE_URL: ledgerUrl,
    KEYTURN_FINGERPRINT_KEY: randomBytes(32).toString('hex'),
    KEYTURN_TASK_QUEUE: taskQueue,
    // docker finds its engine and its plugins as it does for whoever runs the tests.
    DOCKER_CONFIG: process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker'),
    ...(process.env['DOCKER_HOST'] === undefined ? {} : { DOCKER_HOST: process.env['DOCKER_HOST'] }),
    ...project.variables,
  };
  const command = [MAIN, '--inventory', project.inventory];
  const worker = await spawnGuarded(process.execPath, [...command, 'worker'], { cwd: home.path, env, logFile });
  await poll('the worker', async () => {
    if (worker.exit) throw new Error(`the worker has ended:\n${await textOf(logFile)}`);
    const said = await textOf(logFile);
    return said.includes('worker for task queue') ? { value: true } : { seen: said.slice(-500) };
  });
  return {
    log: () => textOf(logFile),
    stop: async () => {
      await worker.stop();
      await home.remove();
    },
    async keyturn(...args) {
      const options = { cwd: home.path, env, extendEnv: false, reject: false, timeout: COMMAND_MS } as const;
      const { exitCode, stdout, stderr } = await execa(process.execPath, [...command, ...args], options);
      return { exitCode, stdout, stderr };
    },
  };
}
