/** Wiring of a worker: settings → adapters → activities → Temporal. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from './activities/create-activities.js';
import type { Log } from './activities/as-activity.js';
import type { ActivityDeps } from './activities/deps.js';
import { nameOfKey } from './activities/same-key.js';
import type { RotationActivities } from './activities/rotation-activities.js';
import { createSealer } from './backups/seal.js';
import type { WorkerSettings } from './config.js';
import { findHolder, namespaceOf } from './holder.js';
import { InventoryReader } from './inventory/load.js';
import { PostgresLedger } from './ledger/postgres-ledger.js';
import { FileMemo } from './processes/file-memo.js';
import { registerSearchAttributes } from './search-attributes.js';
import { tellRun } from './tell-run.js';
import { serviceLocks } from './service-locks.js';
import { createFingerprinter } from './stores/fingerprint.js';

const OWNER_AT_HAND =
  'KEYTURN_LEDGER_OWNER_URL is set: whoever takes over this worker can change the ledger; take it out of its environment';

/** Stores whose descriptions are kept; some hundred bytes a secret. */
const MOST_STORES = 2_000;

export interface RunningWorker {
  readonly taskQueue: string;
  /** Settles when the worker has stopped; rejects when it failed. */
  readonly stopped: Promise<void>;
  /** Lets running activities come to rest, then stops. */
  stop(): Promise<void>;
}

export interface WorkerExtras {
  readonly log: Log;
  /** Tests put faults around activities here. */
  readonly wrapActivities?: (activities: RotationActivities) => RotationActivities;
}

/** @throws KeyturnError `ledger-unavailable`, `ledger-misconfigured`, `bad-inventory`, `search-attributes`. */
export async function startWorker(settings: WorkerSettings, extras: WorkerExtras): Promise<RunningWorker> {
  const ledger = new PostgresLedger(settings.ledgerUrl);
  const connection = await NativeConnection.connect(settings.temporal.connectionOptions);
  try {
    for (const excess of await ledger.inspect()) extras.log('warn', excess);
    if (settings.variables['KEYTURN_LEDGER_OWNER_URL']) extras.log('warn', OWNER_AT_HAND);
    const namespace = settings.temporal.namespace ?? 'default';
    await registerSearchAttributes(connection, namespace);
    const client = new Client({ connection, namespace });
    const deps = activityDeps(settings, ledger, {
      log: extras.log,
      findHolder: (id) => findHolder(client, id),
      namespace: namespaceOf(client),
      serviceLocks: serviceLocks(client),
      tellRun: tellRun(client),
    });
    // A broken inventory is found now, with its line, and not by the first rotation at night.
    await deps.loadInventory();
    const activities = createActivities(deps);
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: settings.taskQueue,
      ...workflowCode(),
      activities: extras.wrapActivities?.(activities) ?? activities,
      maxCachedWorkflows: settings.limits.cachedRuns,
      maxConcurrentActivityTaskExecutions: settings.limits.activities,
      shutdownGraceTime: '10s',
    });
    const stopped = worker.run().finally(async () => {
      await ledger.close();
      await connection.close();
    });
    return {
      taskQueue: settings.taskQueue,
      stopped,
      stop: async () => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await stopped;
      },
    };
  } catch (error) {
    await ledger.close();
    await connection.close();
    throw error;
  }
}

export function activityDeps(
  settings: Pick<WorkerSettings, 'inventory' | 'variables' | 'fingerprintKey'>,
  ledger: ActivityDeps['ledger'],
  rest: Pick<ActivityDeps, 'log' | 'findHolder' | 'namespace' | 'serviceLocks' | 'tellRun'>,
): ActivityDeps {
  const inventory = new InventoryReader(settings.inventory);
  return {
    worker: `${process.pid}@${hostname()}, which reads ${resolve(settings.inventory)}`,
    loadInventory: () => inventory.load(),
    variables: settings.variables,
    fingerprint: createFingerprinter(settings.fingerprintKey),
    seals: createSealer(settings.fingerprintKey),
    fingerprintKey: nameOfKey(settings.fingerprintKey),
    descriptions: new FileMemo(MOST_STORES),
    ledger,
    ...rest,
  };
}

/** The bundle that the build has made starts in half the time and memory; without it the sources are bundled now. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'> {
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const codePath = at('./workflow-bundle.js');
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  return {
    workflowsPath: at('./workflows/index.js'),
    bundlerOptions: { preloadModules: [at('./workflows/shared.js')] },
  };
}
