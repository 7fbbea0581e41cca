/** What `keyturn up` brings up where nothing is configured: a Temporal server, a PostgreSQL with the ledger, a fingerprint key. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporalSettings, type TemporalSettings } from '../config.js';
import { startPostgres, type Postgres } from '../embedded/postgres.js';
import type { Shutdown } from '../embedded/shutdown.js';
import { startTemporalServer } from '../embedded/temporal-server.js';
import { migrateLedger } from '../ledger/ledger-owner.js';
import { ensureDatabase, ensureRole } from './embedded-databases.js';
import { userIn } from './ledger.js';

export interface EmbeddedOptions {
  readonly shutdown: Shutdown;
  /** Kept between runs here; null: nothing is kept. */
  readonly state: string | null;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly onProgress: (line: string) => void;
}

export interface TemporalPlace {
  readonly temporal: TemporalSettings;
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string | null;
  /** Resolves when an embedded server has ended; null where it is somebody else's. */
  readonly exited: Promise<unknown> | null;
}

/**
 * Others may pass through it, for run as root PostgreSQL is another account; none may list it, and what is in it is closed.
 */
export async function makeStateDirectory(state: string): Promise<void> {
  await mkdir(state, { recursive: true, mode: 0o711 });
  await mkdir(join(state, 'temporal'), { recursive: true, mode: 0o700 });
}

/** A configured address is used as it is. @throws KeyturnError `no-temporal`, `temporal-not-started`. */
export async function placeForTemporal(options: EmbeddedOptions): Promise<TemporalPlace> {
  const configured = temporalSettings();
  const { address } = configured.connectionOptions;
  if (address !== undefined) {
    const namespace = configured.namespace ?? 'default';
    const uiUrl = options.variables['KEYTURN_UI_URL'] ?? null;
    return { temporal: configured, address, namespace, uiUrl, exited: null };
  }
  const server = await startTemporalServer({
    ui: true,
    onProgress: options.onProgress,
    ...(options.state === null ? {} : { dbFile: join(options.state, 'temporal', 'temporal.db') }),
  });
  options.shutdown.add('Temporal', () => server.stop());
  return {
    temporal: { connectionOptions: { address: server.address }, namespace: server.namespace },
    address: server.address,
    namespace: server.namespace,
    uiUrl: server.uiUrl,
    exited: server.exited,
  };
}

export interface PostgresPlace {
  readonly ledgerUrl: string;
  /** null where the ledger is configured and no example needs a server of its own. */
  readonly server: Postgres | null;
}

const LEDGER_DATABASE = 'keyturn';
const LEDGER_ROLE = 'keyturn_worker';

/** @param examples the example systems keep their data in the embedded server too. */
export async function placeForPostgres(options: EmbeddedOptions, examples: boolean): Promise<PostgresPlace> {
  const configured = options.variables['KEYTURN_DATABASE_URL'];
  const ownerUrl = options.variables['KEYTURN_LEDGER_OWNER_URL'];
  if (configured && ownerUrl) await migrateLedger(ownerUrl, userIn(configured));
  if (configured && !examples) return { ledgerUrl: configured, server: null };
  const server = await startPostgres(options.state === null ? {} : { directory: join(options.state, 'postgres') });
  options.shutdown.add('PostgreSQL', () => server.stop());
  return { ledgerUrl: configured ?? (await embeddedLedger(server)), server };
}

/** @returns the worker's address of it: its role adds rows and reads them; the server's administrator owns the tables. */
export async function embeddedLedger(server: Postgres): Promise<string> {
  const ownerUrl = await ensureDatabase(server, LEDGER_DATABASE);
  const password = await ensureRole(server, LEDGER_ROLE);
  await migrateLedger(ownerUrl, LEDGER_ROLE);
  const url = new URL(ownerUrl);
  url.username = LEDGER_ROLE;
  url.password = password.reveal();
  return url.href;
}

/** With kept state the key is kept too: fingerprints of the last run must stay comparable. */
export async function fingerprintKey({ state, variables }: EmbeddedOptions): Promise<string> {
  const configured = variables['KEYTURN_FINGERPRINT_KEY'];
  if (configured) return configured;
  const made = randomBytes(32).toString('hex');
  if (state === null) return made;
  const file = join(state, 'fingerprint-key');
  try {
    await writeFile(file, made, { mode: 0o600, flag: 'wx' });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readFile(file, 'utf8')).trim();
  }
}
