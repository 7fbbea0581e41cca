/** Example systems on the shared PostgreSQL, each with a role that is an attacker; gone with the file that asked for them. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import pg from 'pg';
import type { ExampleSystem, PrepareOptions } from '../../../src/demo/systems.js';
import { prepareSystems } from '../../../src/demo/systems.js';
import { placesOf, type ExampleChoice } from '../../../src/demo/systems/places.js';
import { temporaryDirectory } from '../../../src/embedded/directories.js';
import { afterwards } from '../../support/afterwards.js';
import { makeHostile, type HostileDatabase } from '../../support/hostile-database.js';
import { RUN_MARK } from '../../support/leaks.js';
import { dropRoleAfterwards, freshDatabase } from '../../support/servers.js';

export const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));

export function runningSystems(...only: ExampleChoice[]): Promise<ExampleSystem[]> {
  return runningSystemsWith({}, ...only);
}

/** @param settings lines of a system's .env in the place of its own. */
export async function runningSystemsWith(
  settings: NonNullable<PrepareOptions['settings']>,
  ...only: ExampleChoice[]
): Promise<ExampleSystem[]> {
  const workspace = await temporaryDirectory('examples');
  const databasePrefix = `t${randomBytes(5).toString('hex')}_`;
  for (const { label } of placesOf(only)) dropRoleAfterwards(`${databasePrefix}${label.replaceAll('-', '_')}`);
  const hostile: HostileDatabase[] = [];
  const systems = await prepareSystems({
    workspace: workspace.path,
    postgres: {
      createDatabase: async (role) => {
        const { url } = await freshDatabase(role);
        hostile.push(await makeHostile(url, role, { adopt: false }));
        return url;
      },
    },
    only,
    settings,
    databasePrefix,
    environment: { [RUN_MARK]: process.env[RUN_MARK] },
  });
  for (const application of hostile) await application.trapTables();
  afterwards(async () => {
    await Promise.all(systems.map((system) => system.stop()));
    await workspace.remove();
  });
  return systems;
}

export async function runningSystem(name: ExampleChoice): Promise<ExampleSystem> {
  const [system] = await runningSystems(name);
  return system!;
}

export function variable(system: ExampleSystem, suffix: string): string {
  const found = Object.entries(system.variables).find(([name]) => name.endsWith(suffix));
  if (!found) throw new Error(`${system.name} has no variable …${suffix}`);
  return found[1];
}

export async function query(system: ExampleSystem, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: variable(system, '_ADMIN_URL') });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

export function readSetting(system: ExampleSystem, key: string): string {
  const line = readFileSync(system.envFile, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${key}=`));
  if (line === undefined) throw new Error(`${key} is not in the file`);
  return line.slice(key.length + 1);
}

export function writeSetting(system: ExampleSystem, key: string, value: string): void {
  const lines = readFileSync(system.envFile, 'utf8').split('\n');
  writeFileSync(
    system.envFile,
    lines.map((line) => (line.startsWith(`${key}=`) ? `${key}=${value}` : line)).join('\n'),
  );
}

export interface ReloadResult {
  readonly code: number | undefined;
  readonly output: string;
}

export async function reload(system: ExampleSystem): Promise<ReloadResult> {
  return reloadBy(variable(system, '_PID_FILE'));
}

export async function reloadBy(pidFile: string, ...more: string[]): Promise<ReloadResult> {
  const argv = [`${EXAMPLES}lib/reload.js`, '--pid-file', pidFile, ...more];
  const { exitCode, all } = await execa(process.execPath, argv, { all: true, reject: false });
  return { code: exitCode, output: all };
}

export interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  /** `name=value` of the first cookie that the answer sets. */
  readonly cookie: string | null;
}

export interface Asked {
  readonly method?: string;
  readonly json?: unknown;
  readonly cookie?: string | null;
  readonly token?: unknown;
}

export async function ask(system: ExampleSystem, path: string, asked: Asked = {}): Promise<Answer> {
  const headers: Record<string, string> = { connection: 'close' };
  if (asked.json !== undefined) headers['content-type'] = 'application/json';
  if (asked.cookie) headers.cookie = asked.cookie;
  if (typeof asked.token === 'string') headers.authorization = `Bearer ${asked.token}`;
  const response = await fetch(`${system.url}${path}`, {
    method: asked.method ?? (asked.json === undefined ? 'GET' : 'POST'),
    headers,
    signal: AbortSignal.timeout(10_000),
    ...(asked.json === undefined ? {} : { body: JSON.stringify(asked.json) }),
  });
  const json = (await response.json()) as Record<string, unknown>;
  return { status: response.status, json, cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? null };
}

export function logIn(system: ExampleSystem, username = 'smoke'): Promise<Answer> {
  return ask(system, '/api/auth/login', { json: { username, password: system.password.reveal() } });
}
