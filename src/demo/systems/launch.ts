/** Starts an example application and waits until all its instances serve and it says that it is well. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyturnError } from '../../domain/errors.js';
import { logTail } from '../../embedded/log-tail.js';
import type { GuardedProcess } from '../../embedded/reaper.js';
import { spawnGuarded } from '../../embedded/reaper.js';
import type { Program } from './programs.js';

/** Measured: 0.6 s alone, several seconds when three start on two busy cores. */
const START_MS = 60_000;
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ'];

export interface Launch extends Program {
  readonly name: string;
  readonly url: string;
  readonly logFile: string;
  /** Seen by the application besides what its program needs. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** @throws KeyturnError `example-not-started` with the last lines of the application's log. */
export async function launch(options: Launch): Promise<GuardedProcess> {
  const inherited = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
  const app = await spawnGuarded(options.command, options.args, {
    env: { ...inherited, ...options.environment, ...options.variables },
    logFile: options.logFile,
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
  });
  const deadline = Date.now() + START_MS;
  while (app.exit === null && Date.now() < deadline) {
    if ((await options.allServe()) && (await isWell(options.url + options.health))) return app;
    await sleep(50);
  }
  const what = app.exit === null ? `was not well within ${START_MS / 1_000} s` : 'ended at once';
  await app.stop();
  throw new KeyturnError('example-not-started', `${options.name} ${what}:\n${await logTail(options.logFile)}`, {
    hint: `see ${options.logFile}`,
    retryable: true,
  });
}

async function isWell(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
