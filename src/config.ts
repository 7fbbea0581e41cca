/** Settings of a process from its environment. Temporal's own variables and profiles are read by @temporalio/envconfig. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { isThisMachine } from './databases/encrypted.js';
import { KeyturnError } from './domain/errors.js';
import { DEFAULT_TASK_QUEUE } from './domain/messages.js';
import { limitsOf, type WorkerLimits } from './worker-limits.js';

export type TemporalSettings = ReturnType<typeof loadClientConnectConfig>;

export interface WorkerSettings {
  readonly temporal: TemporalSettings;
  readonly inventory: string;
  /** URL of the ledger's PostgreSQL database. */
  readonly ledgerUrl: string;
  readonly fingerprintKey: string;
  readonly taskQueue: string;
  /** `HOST:PORT` for Prometheus; undefined: no metrics are served. */
  readonly metricsAddress: string | undefined;
  readonly limits: WorkerLimits;
  /** What activities see as the worker's variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Where an inventory is looked for when none is named. */
export const INVENTORY_PLACES = ['systems', 'examples'] as const;

/** A key of fewer characters could be searched for, which would turn fingerprints into a dictionary of values. */
const FINGERPRINT_KEY_LENGTH = 32;

/** @throws KeyturnError `setting-missing` naming the variable. */
export function workerSettings(
  variables: Variables,
  overrides: { taskQueue?: string; inventory?: string; command?: string } = {},
): WorkerSettings {
  const fingerprintKey = required(
    variables,
    'KEYTURN_FINGERPRINT_KEY',
    'at least 32 random characters, the same for every worker: openssl rand -hex 32',
  );
  if (fingerprintKey.length < FINGERPRINT_KEY_LENGTH) {
    throw new KeyturnError(
      'setting-bad',
      `KEYTURN_FINGERPRINT_KEY has fewer than ${FINGERPRINT_KEY_LENGTH} characters`,
      { hint: 'openssl rand -hex 32' },
    );
  }
  const taskQueue = overrides.taskQueue ?? taskQueueIn(variables);
  return {
    temporal: temporalSettings(),
    inventory: overrides.inventory ?? inventoryPlace(variables),
    ledgerUrl: required(variables, 'KEYTURN_DATABASE_URL', "the URL of the ledger's PostgreSQL database"),
    fingerprintKey,
    taskQueue,
    metricsAddress: variables['KEYTURN_METRICS_ADDRESS'],
    limits: limitsOf(variables),
    // Where an inventory names no queue, a plan made here takes this worker's.
    variables: {
      ...variables,
      KEYTURN_TASK_QUEUE: taskQueue,
      KEYTURN_COMMAND: variables['KEYTURN_COMMAND'] || overrides.command,
    },
  };
}

/** @throws KeyturnError `temporal-not-encrypted` where an API key would go to another host in clear text. */
export function temporalSettings(load = loadClientConnectConfig): TemporalSettings {
  const settings = load();
  const { apiKey, tls, metadata, address = 'localhost:7233' } = settings.connectionOptions;
  const secret =
    apiKey !== undefined || Object.keys(metadata ?? {}).some((name) => name.toLowerCase() === 'authorization');
  const encrypted = typeof tls === 'object' || tls === true || (apiKey !== undefined && tls !== false);
  if (!secret || encrypted || isThisMachine(address.replace(/:\d+$/, ''))) return settings;
  throw new KeyturnError(
    'temporal-not-encrypted',
    `the credential for Temporal at ${address} would go there in clear text`,
    {
      hint: 'set TEMPORAL_TLS=true (or the tls of the profile)',
    },
  );
}

/** An empty variable, as a Compose file leaves it, names none. */
export function taskQueueIn(variables: Variables): string {
  return variables['KEYTURN_TASK_QUEUE'] || DEFAULT_TASK_QUEUE;
}

/** @throws KeyturnError `no-inventory` when nothing is named and neither default place exists. */
export function inventoryPlace(variables: Variables): string {
  const named = variables['KEYTURN_INVENTORY'];
  if (named) return resolve(named);
  const found = INVENTORY_PLACES.find((place) => existsSync(place));
  if (found) return resolve(found);
  throw new KeyturnError('no-inventory', `no inventory: neither ${INVENTORY_PLACES.join('/ nor ')}/ is here`, {
    hint: 'name its folder: --inventory DIR or KEYTURN_INVENTORY',
  });
}

function required(variables: Variables, name: string, what: string): string {
  const value = variables[name];
  if (!value) throw new KeyturnError('setting-missing', `${name} is not set`, { hint: `set it to ${what}` });
  return value;
}
