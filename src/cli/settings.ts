/**
 * Where this call finds Temporal, the ledger and the inventory: what the environment says; else what `keyturn up` runs for
 * this directory. One or the other as a whole: the address of a production cluster with the ledger of a laptop would lie.
 */
import { resolve } from 'node:path';
import { inventoryPlace, taskQueueIn, temporalSettings, type TemporalSettings } from '../config.js';
import { KeyturnError } from '../domain/errors.js';
import type { Context } from './context.js';
import type { Ui } from './links.js';
import { liveSession, type LiveSession } from './live-session.js';

export interface Settings {
  /** null: nothing says where Temporal is. */
  readonly temporal: (TemporalSettings & { readonly source: string }) | null;
  readonly ui: Ui;
  readonly taskQueue: string;
  /** null: nothing says where the ledger is. Carries a password: never print it. */
  readonly databaseUrl: string | null;
  /** What a worker here would see as its variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly inventory: () => string;
}

/** @throws KeyturnError `setting-bad` when a Temporal profile cannot be read. */
export async function readSettings(context: Context): Promise<Settings> {
  const { env } = context;
  const configured = readTemporal();
  const session = configured.connectionOptions.address === undefined ? await liveSession(context.cwd) : null;
  const temporal = session ? fromSession(session) : explicitTemporal(configured);
  const variables = session ? { ...session.variables, ...env, ...session.own } : env;
  const unused = session
    ? Object.keys(session.own).filter((name) => ![undefined, session.own[name]].includes(env[name]))
    : [];
  if (unused.length > 0)
    context.console.note(
      `${unused.join(' and ')} of your shell not used: \`keyturn up\` runs here, with a ledger of its own`,
    );
  return {
    temporal,
    ui: {
      url: env['KEYTURN_UI_URL'] ?? session?.uiUrl ?? null,
      namespace: temporal?.namespace ?? 'default',
    },
    taskQueue: taskQueueIn(variables),
    databaseUrl: variables['KEYTURN_DATABASE_URL'] ?? null,
    variables,
    inventory: () => inventoryPlaceOf(context, session),
  };
}

/** @returns an absolute path. @throws KeyturnError `no-inventory`. */
export function inventoryPlaceOf({ inventory, env, cwd }: Context, session: LiveSession | null = null): string {
  if (inventory !== undefined) return resolve(cwd, inventory);
  if (!env['KEYTURN_INVENTORY'] && session) return session.inventory;
  return inventoryPlace(env);
}

function explicitTemporal(configured: TemporalSettings): Settings['temporal'] {
  if (configured.connectionOptions.address === undefined) return null;
  const source = process.env['TEMPORAL_ADDRESS'] ? 'TEMPORAL_ADDRESS' : 'your Temporal profile';
  return { ...configured, source };
}

function fromSession(session: LiveSession): Settings['temporal'] {
  return {
    connectionOptions: { address: session.temporalAddress },
    namespace: session.namespace,
    source: '`keyturn up` in this directory',
  };
}

/** A file or profile that is broken is the person's to mend, not a crash. */
function readTemporal(): TemporalSettings {
  try {
    return temporalSettings();
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('setting-bad', `Temporal's settings cannot be read: ${(error as Error).message}`, {
      hint: 'look at TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE and TEMPORAL_TLS_…',
      cause: error,
    });
  }
}
