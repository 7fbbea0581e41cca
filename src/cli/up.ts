/**
 * `keyturn up`: everything embedded, staying up: Temporal with its UI, PostgreSQL with the ledger, a worker, and the example
 * systems when the inventory is the bundled one. What is configured already is used instead.
 */
import { resolve } from 'node:path';
import { workerSettings } from '../config.js';
import type { ExampleSystem } from '../demo/systems.js';
import { KeyturnError } from '../domain/errors.js';
import { writeSession } from '../embedded/session-file.js';
import { createShutdown, type Shutdown } from '../embedded/shutdown.js';
import { startWorker, type RunningWorker } from '../worker.js';
import type { Console } from './console.js';
import type { Context } from './context.js';
import {
  fingerprintKey,
  makeStateDirectory,
  placeForPostgres,
  placeForTemporal,
  type EmbeddedOptions,
  type TemporalPlace,
} from './embedded-places.js';
import type { ExampleName } from '../demo/systems/blueprints.js';
import { arenaToTry } from './arena-to-try.js';
import { areBundledExamples, bringUpExamples, exampleChoice } from './example-systems.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { aborted } from './interrupts.js';
import { invocationForOthers } from './invocation.js';
import { liveSession } from './live-session.js';
import { openInventory } from './open-inventory.js';
import { reachingTemporal } from './reaching-temporal.js';
import { installRuntime, type LogLine } from './runtime.js';
import { inventoryPlaceOf } from './settings.js';
import { terminalWarning } from './terminal-warnings.js';
import { welcome } from './welcome.js';

export interface UpOptions {
  readonly state?: string;
  /** Names of example systems, with commas between them; left out: all that can run here. */
  readonly examples?: string;
}

interface Everything {
  readonly temporal: TemporalPlace;
  readonly worker: RunningWorker;
  readonly systems: readonly ExampleSystem[];
  readonly inventory: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Stays until it is asked to end; a Ctrl-C ends everything in the reverse order of its start. */
export async function up(context: Context, options: UpOptions): Promise<ExitCode> {
  const { console, env } = context;
  const running = await liveSession(context.cwd);
  if (running) {
    const where = running.uiUrl ?? running.temporalAddress;
    console.note(
      `another one runs for this directory already (${where}); once this one is up, commands here find it instead`,
    );
  }
  const shutdown = createShutdown({ report: (line) => console.note(line) });
  const state = options.state === undefined ? null : resolve(context.cwd, options.state);
  try {
    const embedded = { shutdown, state, variables: env, onProgress: (line: string) => console.note(line) };
    const everything = await bringUp(context, embedded, exampleChoice(options.examples));
    await announce(console, everything, options.state);
    await untilOver(shutdown, everything);
    return EXIT.done;
  } finally {
    await shutdown.run();
    shutdown.detach();
  }
}

async function bringUp(
  context: Context,
  options: EmbeddedOptions,
  chosen: readonly ExampleName[] | null,
): Promise<Everything> {
  const { console } = context;
  const { shutdown, state } = options;
  const inventory = inventoryPlaceOf(context);
  const examples = await areBundledExamples(inventory);
  if (state !== null) await makeStateDirectory(state);
  console.note('starting Temporal and PostgreSQL');
  // Together: each takes seconds on a cold machine. Both are waited for, so that neither is left behind by the other's failure.
  const [temporal, postgres] = await bothOf(placeForTemporal(options), placeForPostgres(options, examples));
  const own = {
    ...options.variables,
    KEYTURN_DATABASE_URL: postgres.ledgerUrl,
    // It has done its work; the worker is not given it.
    KEYTURN_LEDGER_OWNER_URL: undefined,
    KEYTURN_FINGERPRINT_KEY: await fingerprintKey(options),
  };
  const systems = examples && postgres.server ? await bringUpExamples(postgres.server, options, chosen) : [];
  const ofSystems = Object.assign({}, ...systems.map((system) => system.variables)) as Record<string, string>;
  const variables = { ...own, ...ofSystems };
  const settings = {
    ...workerSettings(variables, { inventory, command: invocationForOthers() }),
    temporal: temporal.temporal,
  };
  // A person at a terminal wants to hear of trouble; the rest is in the UI.
  const log: LogLine = (...said) => {
    const warning = terminalWarning(...said);
    if (warning !== null) console.note(warning);
  };
  installRuntime({ log, level: 'WARN', metricsAddress: settings.metricsAddress });
  const worker = await reachingTemporal(temporal.address, () => startWorker(settings, { log }));
  shutdown.add('worker', () => worker.stop());
  const session = await writeSession(
    {
      temporalAddress: temporal.address,
      namespace: temporal.namespace,
      uiUrl: temporal.uiUrl,
      ledgerUrl: postgres.ledgerUrl,
      inventory: settings.inventory,
      fingerprintKey: settings.fingerprintKey,
      variables: { ...ofSystems, KEYTURN_TASK_QUEUE: worker.taskQueue },
    },
    context.cwd,
  );
  shutdown.add('session file', () => session.remove());
  return { temporal, worker, systems, inventory: settings.inventory, variables };
}

async function announce(
  console: Console,
  { temporal, worker, systems, inventory, variables }: Everything,
  state: string | undefined,
): Promise<void> {
  const secrets = (await openInventory({ inventory: () => inventory, variables })).list();
  const { address, uiUrl, namespace } = temporal;
  const running = systems.map(({ name, environment, secret, url, logFile }) => ({
    ref: `${name}/${environment}/${secret}`,
    url,
    logFile,
  }));
  const { taskQueue } = worker;
  console.document({
    uiUrl,
    temporalAddress: address,
    namespace,
    taskQueue,
    inventory,
    systems: running,
    pid: process.pid,
  });
  if (console.json) return;
  const more = arenaToTry(systems);
  // Of a server that is configured elsewhere nothing ends with this.
  const keeps = temporal.exited === null ? null : (state ?? false);
  const ui = { url: uiUrl, namespace };
  const lines = welcome({ ui, address, inventory, secrets, systems: running, more, keeps });
  lines.forEach((line) => console.say(line));
}

/** @throws KeyturnError when a part ends by itself: half of everything is not what was asked for. */
async function untilOver(shutdown: Shutdown, { temporal, worker }: Everything): Promise<void> {
  const ended = (what: string) => (): never => {
    if (shutdown.signal.aborted) return undefined as never;
    throw new KeyturnError('ended', `${what} has ended by itself`, { hint: 'see the messages above; start again' });
  };
  await Promise.race([
    aborted(shutdown.signal),
    worker.stopped.then(ended('the worker')),
    ...(temporal.exited ? [temporal.exited.then(ended('the Temporal server'))] : []),
  ]);
  // The signal's handler releases everything and ends the process; returning would race with it.
  await shutdown.run();
}

async function bothOf<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}
