/**
 * The example systems, running: each environment from the clone's own code, with settings, fresh secrets and files in a
 * workspace, on a free port, on a database of its own.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import getPort from 'get-port';
import { SecretValue } from '../domain/secret-value.js';
import type { GuardedProcess } from '../embedded/reaper.js';
import { createApplicationRole } from './systems/application-role.js';
import { makeBackupPlaces, type BackupPlaces } from './systems/backup-places.js';
import type { Blueprint, Database, ExampleName } from './systems/blueprints.js';
import type { ExampleChoice, Place } from './systems/places.js';
import { placesOf } from './systems/places.js';
import { launch } from './systems/launch.js';
import { programOf, type Program } from './systems/programs.js';

const HOST = '127.0.0.1';
/** A port that was free when asked for may be taken when used; three in a row are something else. */
const ATTEMPTS = 3;
/** As Node and as Python say it. */
const PORT_TAKEN = /EADDRINUSE|Address already in use/;
/** The same place from src/ and from dist/. */
const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

export interface PrepareOptions {
  /** An existing directory; each environment gets a folder in it. */
  readonly workspace: string;
  readonly postgres: { createDatabase(name: string): Promise<string> };
  /** Systems, with all their environments that run, or single environments. Default: everything. */
  readonly only?: readonly ExampleChoice[];
  /** Put before the names of databases and roles, for servers that others use too. */
  readonly databasePrefix?: string;
  /** Passed on to the applications. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Lines of a system's .env in the place of its own. */
  readonly settings?: Partial<Readonly<Record<ExampleName, Readonly<Record<string, string>>>>>;
  readonly onProgress?: (line: string) => void;
}

/** One environment of an example system, running. */
export interface ExampleSystem {
  readonly name: ExampleName;
  /** The environment of its inventory that runs here, and the secret that its rotation is shown with. */
  readonly environment: string;
  readonly secret: string;
  readonly inventoryFile: string;
  readonly url: string;
  readonly envFile: string;
  /** Where it has secrets as mounted files. */
  readonly secretsDirectory?: string;
  /** Where its inventory describes backups. */
  readonly backups?: BackupPlaces;
  readonly logFile: string;
  /** Of the primary. */
  readonly pid: number;
  /** The PostgreSQL role that it signs in as, and that owns its database; the database has the same name. */
  readonly role: string;
  /** What the worker needs in its environment to run this system's rotations. Carries passwords: never log it. */
  readonly variables: Readonly<Record<string, string>>;
  /** Accounts for traffic, all with this password. */
  readonly users: readonly string[];
  readonly password: SecretValue;
  /** Resolves when the application has ended, by stop() or by itself. */
  readonly exited: Promise<unknown>;
  /** Idempotent. */
  stop(): Promise<void>;
}

/**
 * One entry for each environment, those of one system in rollout order.
 * @throws KeyturnError `example-not-started`; what did start is stopped then. `no-such-system`.
 */
export async function prepareSystems(options: PrepareOptions): Promise<ExampleSystem[]> {
  const places = placesOf(options.only);
  const results = await Promise.allSettled(places.map((place) => prepare(place, options)));
  const systems = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    await Promise.all(systems.map((system) => system.stop()));
    throw failed.reason;
  }
  return systems;
}

async function prepare({ name, label, blueprint }: Place, options: PrepareOptions): Promise<ExampleSystem> {
  const home = join(options.workspace, label);
  await mkdir(home, { recursive: true, mode: 0o700 });
  const files = { envFile: join(home, '.env'), pidFile: join(home, `${name}.pid`), logFile: join(home, `${name}.log`) };
  const program = await programOf(name, EXAMPLES, files, options.onProgress);
  const secrets = await writeSecretFiles(join(home, 'secrets'), blueprint);
  const backups = await makeBackupPlaces(home, blueprint);
  const password = new SecretValue(randomBytes(18).toString('base64url'));
  const role = `${options.databasePrefix ?? ''}${label.replaceAll('-', '_')}`;
  const adminUrl = await options.postgres.createDatabase(role);
  const database = await roleFor(adminUrl, role);
  const settings = {
    ...blueprint.settings(database),
    ...options.settings?.[name],
    ...secrets?.settings,
    HOST,
    INSTANCES: '2',
    SMOKE_PASSWORD: password.reveal(),
    SEED_USERS: blueprint.users.join(','),
  };
  const { app, port } = await launchOnFreePort(name, settings, { ...files, program }, options.environment ?? {});
  return {
    ...files,
    ...(secrets && { secretsDirectory: secrets.directory }),
    ...(backups && { backups }),
    name,
    environment: blueprint.environment,
    secret: blueprint.secret,
    inventoryFile: join(EXAMPLES, name, 'system.yaml'),
    url: `http://${HOST}:${port}`,
    pid: app.pid,
    role,
    users: blueprint.users,
    password,
    variables: {
      [`${blueprint.prefix}_PORT`]: String(port),
      [`${blueprint.prefix}_ENV_FILE`]: files.envFile,
      ...(secrets
        ? {
            [`${blueprint.prefix}_HOME`]: join(EXAMPLES, name),
            [`${blueprint.prefix}_CONTROL`]: files.pidFile,
            [`${blueprint.prefix}_SECRETS_DIRECTORY`]: secrets.directory,
          }
        : { [`${blueprint.prefix}_PID_FILE`]: files.pidFile }),
      [`${blueprint.prefix}_ADMIN_URL`]: adminUrl,
      [blueprint.smokeVariable]: password.reveal(),
      ...backups?.variables,
      ...blueprint.variables?.(database),
    },
    exited: app.exited,
    stop: async () => {
      await app.stop();
    },
  };
}

async function roleFor(adminUrl: string, role: string): Promise<Database> {
  const { hostname, port, pathname } = new URL(adminUrl);
  const password = new SecretValue(randomBytes(32).toString('hex'));
  await createApplicationRole(adminUrl, role, password);
  return { host: hostname, port: port || '5432', name: decodeURIComponent(pathname.slice(1)), role, password };
}

interface SecretFiles {
  readonly directory: string;
  /** `NAME_FILE` for each of them. */
  readonly settings: Readonly<Record<string, string>>;
}

async function writeSecretFiles(directory: string, { secretFiles }: Blueprint): Promise<SecretFiles | undefined> {
  if (!secretFiles) return undefined;
  await mkdir(directory, { mode: 0o700 });
  const entries = Object.entries(secretFiles());
  for (const [file, value] of entries) await writeFile(join(directory, file), value, { mode: 0o400 });
  const settings = entries.map(([file]) => [`${file.toUpperCase()}_FILE`, join(directory, file)]);
  return { directory, settings: Object.fromEntries(settings) as Record<string, string> };
}

interface Files {
  readonly envFile: string;
  readonly logFile: string;
  readonly program: Program;
}

async function launchOnFreePort(
  name: ExampleName,
  settings: Readonly<Record<string, string>>,
  { envFile, logFile, program }: Files,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ app: GuardedProcess; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await getPort({ host: HOST, reserve: true });
    await writeFile(envFile, dotenv(name, { ...settings, PORT: String(port) }), { mode: 0o600 });
    try {
      const app = await launch({ name, url: `http://${HOST}:${port}`, logFile, environment, ...program });
      return { port, app };
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof Error && PORT_TAKEN.test(error.message))) throw error;
    }
  }
}

/** All values made here are of letters, digits and `-_:/@.,+=`: no reader of dotenv files needs quotes for them. */
function dotenv(name: string, settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  return `# ${name}: made for this run, with secrets of its own.\n${lines.join('\n')}\n`;
}
