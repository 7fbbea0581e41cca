/** mediavault as its Compose file has it, in a directory of its own, with a PostgreSQL beside it and accounts to sign in with. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sign } from 'cookie-signature';
import { execa } from 'execa';
import getPort from 'get-port';
import pg from 'pg';
import { inject } from 'vitest';
import { createApplicationRole } from '../../../src/demo/systems/application-role.js';
import { SecretValue } from '../../../src/domain/secret-value.js';
import { temporaryDirectory } from '../../../src/embedded/directories.js';
import { EXAMPLES } from '../../examples/support/running-system.js';
import { IMAGE } from '../../support/engine.js';
import { makeHostile } from '../../support/hostile-database.js';
import { freshDatabase, freshRoleName } from '../../support/servers.js';

const COOKIE = 'mediavault.sid';
const HOST = '127.0.0.1';
const secret = (): string => randomBytes(32).toString('hex');

export interface ComposeProject {
  readonly directory: string;
  readonly envFile: string;
  /** mediavault's own inventory, for the task queue of this test file. */
  readonly inventory: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Everything in .env that is a secret, but SESSION_SECRET. */
  readonly otherSecrets: readonly string[];
  /** A command of the runbook: `docker compose --env-file .env …` in the project's directory. @returns what it printed. */
  compose(...argv: string[]): Promise<string>;
  /** The id and state of the backend's container, as `docker inspect` has them. */
  container(): Promise<{ id: string; startedAt: string; health: string; sessionSecret: string }>;
  write(file: string, text: string): Promise<void>;
  read(key: string): string;
  text(): Buffer;
  /** The cookie of a person who has just signed in. */
  signIn(): Promise<string>;
  /** The status of the answer to this cookie. */
  answerTo(cookie: string): Promise<number>;
  /** The same session's cookie, signed with this value instead. */
  signedWith(cookie: string, value: string): string;
  sessions(): Promise<number>;
  /** Takes the containers down, and the directory with them. */
  remove(): Promise<void>;
}

export async function composeProject(taskQueue: string): Promise<ComposeProject> {
  const home = await temporaryDirectory('e2e-compose');
  const directory = join(home.path, 'mediavault');
  const inventory = join(home.path, 'systems');
  await mkdir(directory);
  await mkdir(inventory);
  const envFile = join(directory, '.env');
  const database = await freshDatabase('mediavault_e2e');
  const role = freshRoleName('mediavault_e2e');
  const password = new SecretValue(secret());
  await createApplicationRole(database.url, role, password);
  await makeHostile(database.url, role, { adopt: false });
  const port = String(await getPort({ host: HOST, reserve: true }));
  const settings = {
    SESSION_SECRET: secret(),
    INTEGRATION_ENCRYPTION_KEY: secret(),
    DB_HOST: HOST,
    DB_PORT: new URL(inject('postgresUrl')).port,
    DB_USER: role,
    DB_PASSWORD: password.reveal(),
    POSTGRES_DB: database.name,
    PORT: port,
    SMOKE_PASSWORD: secret(),
    MEDIAVAULT_IMAGE: IMAGE,
    // The root of the test image belongs to root alone; without capabilities that account is nobody special.
    MEDIAVAULT_USER: '0:0',
    EXAMPLES_DIRECTORY: EXAMPLES,
    MODULES_DIRECTORY: join(EXAMPLES, '..', 'node_modules'),
    COMPOSE_PROJECT_NAME: `keyturn-${randomBytes(4).toString('hex')}`,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  writeFileSync(envFile, `# mediavault, by hand\n\n${lines.join('\n')}\n`, { mode: 0o600 });
  await copyFile(join(EXAMPLES, 'mediavault', 'docker-compose.yml'), join(directory, 'docker-compose.yml'));
  const system = await readFile(join(EXAMPLES, 'mediavault', 'system.yaml'), 'utf8');
  await writeFile(
    join(inventory, 'mediavault.yaml'),
    system.replace('- name: compose\n', `- name: compose\n    taskQueue: ${taskQueue}\n`),
  );

  const compose: ComposeProject['compose'] = async (...argv) => {
    const { all } = await execa('docker', ['compose', '--env-file', '.env', ...argv], { cwd: directory, all: true });
    return all;
  };
  const ask = (path: string, cookie?: string, json?: object): Promise<Response> =>
    fetch(`http://${HOST}:${port}${path}`, {
      method: json ? 'POST' : 'GET',
      headers: { connection: 'close', ...(cookie ? { cookie } : {}), 'content-type': 'application/json' },
      signal: AbortSignal.timeout(10_000),
      ...(json ? { body: JSON.stringify(json) } : {}),
    });

  return {
    directory,
    envFile,
    inventory,
    compose,
    otherSecrets: [settings.INTEGRATION_ENCRYPTION_KEY, password.reveal(), settings.SMOKE_PASSWORD],
    variables: {
      MEDIAVAULT_COMPOSE_PORT: port,
      MEDIAVAULT_COMPOSE_DIRECTORY: directory,
      MEDIAVAULT_COMPOSE_ADMIN_URL: database.url,
      MEDIAVAULT_SMOKE_PASSWORD: settings.SMOKE_PASSWORD,
    },
    async container() {
      const id = (await compose('ps', '-a', '-q', 'backend')).trim();
      const { stdout } = await execa('docker', ['inspect', id]);
      const [found] = JSON.parse(stdout) as [
        { State: { StartedAt: string; Health: { Status: string } }; Config: { Env: string[] } },
      ];
      const sessionSecret = found.Config.Env.find((line) => line.startsWith('SESSION_SECRET='))?.slice(15) ?? '';
      return { id, startedAt: found.State.StartedAt, health: found.State.Health.Status, sessionSecret };
    },
    remove: async () => {
      await compose('down', '--timeout', '5', '--remove-orphans').finally(() => home.remove());
    },
    write: (file, text) => writeFile(join(directory, file), text),
    read: (key) => new RegExp(`^${key}=(.*)$`, 'm').exec(readFileSync(envFile, 'utf8'))?.[1] ?? '',
    text: () => readFileSync(envFile),
    async signIn() {
      const response = await ask('/api/auth/login', undefined, {
        username: 'smoke',
        password: settings.SMOKE_PASSWORD,
      });
      await response.arrayBuffer();
      const cookie = response.headers.getSetCookie()[0]?.split(';')[0];
      if (!response.ok || cookie === undefined) throw new Error(`the login was answered with ${response.status}`);
      return cookie;
    },
    async answerTo(cookie) {
      const response = await ask('/api/auth/me', cookie);
      await response.arrayBuffer();
      return response.status;
    },
    signedWith(cookie, value) {
      const signed = decodeURIComponent(cookie.slice(COOKIE.length + 1)).slice(2);
      return `${COOKIE}=${encodeURIComponent(`s:${sign(signed.slice(0, signed.lastIndexOf('.')), value)}`)}`;
    },
    async sessions() {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      try {
        const { rows } = await client.query<{ live: number }>(
          'SELECT count(*)::int AS live FROM user_sessions WHERE expire > now()',
        );
        return rows[0]?.live ?? 0;
      } finally {
        await client.end();
      }
    },
  };
}
