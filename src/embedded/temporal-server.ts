/** A Temporal dev server of our own: in memory or on a file, headless or with its UI, on this machine's loopback only. */
import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import getPort from 'get-port';
import { KeyturnError } from '../domain/errors.js';
import { searchAttributes } from '../domain/status.js';
import { temporaryDirectory } from './directories.js';
import type { FindTemporalOptions } from './find-temporal.js';
import { findTemporal } from './find-temporal.js';
import { logTail } from './log-tail.js';
import type { GuardedProcess } from './reaper.js';
import { spawnGuarded } from './reaper.js';
import { guardUi, portWithoutBrowsers, type UiGuard } from './ui-guard.js';

const HOST = '127.0.0.1';
/** Measured: up in 0.25 s alone, a few seconds on a loaded machine, and with a file that has to be created. */
const START_MS = 60_000;
/** A port that was free when asked for may be taken when used; three in a row are something else. */
const ATTEMPTS = 3;

/** A server that finds its port taken ends within half a second. */
const OUTLIVES_MS = 5_000;

/**
 * Time skipping is what lets a test pass a 24 h wait. The polling limits are the dev server's own bottleneck: at its defaults
 * a step waits up to 300 ms for it under load, at these 117 (shared measurements, five activities).
 */
const DYNAMIC_CONFIG = [
  'frontend.WorkflowTimeSkippingEnabled=true',
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.visibilityProcessorMaxPollRPS=2000',
];

export interface TemporalServerOptions extends Pick<FindTemporalOptions, 'onProgress'> {
  /** Keeps the server's state over restarts; without it, it is in memory. */
  readonly dbFile?: string;
  /** Defaults to false: headless. */
  readonly ui?: boolean;
  /** Appended to. Defaults to a file that goes with this process. */
  readonly logFile?: string;
  /** Defaults to free ones. */
  readonly port?: number;
  readonly uiPort?: number;
  /** The executable; looked for if not given. */
  readonly cli?: string;
}

export interface TemporalServer {
  readonly address: string;
  readonly namespace: 'default';
  readonly uiUrl: string | null;
  readonly cli: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the server has ended, by stop() or by itself. */
  readonly exited: Promise<unknown>;
  /** Idempotent. */
  stop(): Promise<void>;
  /** On the same ports; state is kept only with a `dbFile`. `kill` ends the running one with SIGKILL. */
  restart(options?: { readonly kill?: boolean }): Promise<void>;
}

/** @throws KeyturnError `no-temporal` (see findTemporal) or `temporal-not-started` with the end of the server's log. */
export async function startTemporalServer(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  const cli = options.cli ?? (await findTemporal(options)).path;
  const temporary = options.logFile === undefined ? await temporaryDirectory('temporal') : null;
  const logFile = options.logFile ?? join(temporary?.path ?? '', 'temporal.log');
  const launch = { ...options, cli, logFile };
  try {
    const first = await launchOnFreePorts(launch);
    const { ports, guard } = first;
    let server = first.server;
    return {
      address: `${HOST}:${String(ports.port)}`,
      namespace: 'default',
      uiUrl: ports.uiPort === null ? null : `http://${HOST}:${String(ports.uiPort)}`,
      cli,
      logFile,
      get pid() {
        return server.pid;
      },
      get exited() {
        return server.exited;
      },
      async stop() {
        await guard?.close();
        await server.stop();
        await temporary?.remove();
      },
      async restart({ kill = false } = {}) {
        await server.stop(kill ? 0 : undefined);
        server = await launchOn(ports, launch);
      },
    };
  } catch (error) {
    await temporary?.remove();
    throw error;
  }
}

interface Ports {
  readonly port: number;
  readonly uiPort: number | null;
  /** Where the UI itself listens, behind its guard. */
  readonly hiddenUiPort: number | null;
}

type Launch = TemporalServerOptions & { readonly cli: string; readonly logFile: string };

interface Launched {
  readonly server: GuardedProcess;
  readonly ports: Ports;
  readonly guard: UiGuard | null;
}

async function launchOnFreePorts(launch: Launch): Promise<Launched> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = {
      port: launch.port ?? (await getPort({ host: HOST, reserve: true })),
      uiPort: launch.ui === true ? (launch.uiPort ?? (await getPort({ host: HOST, reserve: true }))) : null,
      hiddenUiPort: launch.ui === true ? await portWithoutBrowsers() : null,
    };
    let guard: UiGuard | null = null;
    try {
      if (ports.uiPort !== null && ports.hiddenUiPort !== null) guard = await guardUi(ports.uiPort, ports.hiddenUiPort);
      return { ports, guard, server: await launchOn(ports, launch) };
    } catch (error) {
      await guard?.close();
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function launchOn(ports: Ports, launch: Launch): Promise<GuardedProcess> {
  const before = await sizeOf(launch.logFile);
  const server = await spawnGuarded(launch.cli, commandLine(ports, launch), {
    env: environment(),
    logFile: launch.logFile,
  });
  const deadline = Date.now() + START_MS;
  let answeredAt: number | null = null;
  while (server.exit === null && Date.now() < deadline) {
    if (await answers(`${HOST}:${String(ports.port)}`)) {
      // Another copy's server may have taken the port meanwhile and be the one that answers, while ours is still on its way
      // out: ours says so when it listens. A CLI with other words is believed when it has outlived the discovery.
      answeredAt ??= Date.now();
      if (await announces(launch.logFile, before, ports.port)) return server;
      if (Date.now() - answeredAt > OUTLIVES_MS) return server;
    }
    await sleep(50);
  }
  const ended = server.exit === null ? `did not answer within ${String(START_MS / 1000)} s` : 'ended at once';
  await server.stop();
  throw new KeyturnError(
    'temporal-not-started',
    `the Temporal dev server ${ended}:\n${await logTail(launch.logFile)}`,
    {
      hint: `see ${launch.logFile}; is \`${launch.cli}\` a current Temporal CLI?`,
      retryable: true,
    },
  );
}

function commandLine(ports: Ports, launch: Launch): string[] {
  const args = ['server', 'start-dev', '--ip', HOST, '--port', String(ports.port), '--log-level', 'warn'];
  if (ports.hiddenUiPort === null) args.push('--headless');
  else args.push('--ui-ip', HOST, '--ui-port', String(ports.hiddenUiPort));
  // The HTTP API takes requests from any web page, and cannot be switched off: it answers to a name that nobody knows or can resolve.
  args.push('--dynamic-config-value', `frontend.httpAllowedHosts=["${randomUUID()}.invalid"]`);
  if (launch.dbFile !== undefined) args.push('--db-filename', launch.dbFile);
  for (const setting of DYNAMIC_CONFIG) args.push('--dynamic-config-value', setting);
  // A worker registers these too; known from the start, the first worker does not wait for them to spread.
  for (const [name, type] of searchAttributes()) {
    args.push('--search-attribute', `${name}=${type}`);
  }
  return args;
}

/** Without the caller's own Temporal settings: an address, a profile or TLS meant for a client must not reach the server. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** A port that accepts connections is not a server: ask it for the namespace that everything uses. */
async function answers(address: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: 1_000 });
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

/** `Temporal Server:  127.0.0.1:7233`, on standard output once it serves. */
async function announces(logFile: string, from: number, port: number): Promise<boolean> {
  const log = (await readFile(logFile)).subarray(from).toString();
  return new RegExp(`server:\\s+\\S+:${String(port)}\\b`, 'i').test(log);
}
