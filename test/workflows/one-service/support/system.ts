/** A system with one service and three secrets that it shares: a session secret, a database credential, an encryption key. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Strategy } from '../../../../src/domain/specs/swap.js';
import { id, run, urlAs } from '../../../databases/roles/support/world.js';
import { freshKey, sealed } from '../../encryption/support/fernet.js';
import type { Databases, LentDatabase } from '../../support/databases.js';
import type { Fault } from '../../support/faults.js';
import type { StagedSystem } from '../../support/real-stage.js';
import { Web } from './web.js';

/** By what they are: which runbook rotates them, and the first of its activities that touches the service. */
export const SECRETS = {
  SESSION_SECRET: { runbook: 'rotateSessionSecret', touches: 'deployService' },
  DATABASE_URL: { runbook: 'swapDatabaseCredential', touches: 'deployService' },
  KEY: { runbook: 'rotateEncryptionKey', touches: 'stopService' },
} as const;
export type Secret = keyof typeof SECRETS;

const ROWS = 40;

export class System implements StagedSystem {
  readonly secret = 'KEY';
  readonly reason = 'routine';
  readonly environments = ['production'];
  readonly calls: string[] = [];
  readonly faults = new Map<string, Fault>();
  readonly variables: Readonly<Record<string, string>>;

  private constructor(
    readonly name: string,
    readonly strategy: Strategy,
    readonly inventory: string,
    readonly database: LentDatabase,
    /** What everything read at first. */
    readonly before: { readonly session: string; readonly url: string; readonly key: string },
    readonly web: Web,
    taskQueue: string,
    private readonly databases: Databases,
  ) {
    this.variables = {
      KEYTURN_TASK_QUEUE: taskQueue,
      KEYTURN_FINGERPRINT_KEY: 'a key of at least thirty-two characters',
      ADMIN: database.url,
    };
  }

  static async open(strategy: Strategy, taskQueue: string, databases: Databases): Promise<System> {
    const name = `web${randomBytes(4).toString('hex')}`;
    const inventory = await mkdtemp(join(tmpdir(), 'keyturn-web-'));
    const database = await databases.lend();
    const password = randomBytes(24).toString('hex');
    const before = {
      session: randomBytes(32).toString('hex'),
      url: urlAs(database.url, `${name}_old`, password),
      key: freshKey(),
    };
    const truth = new Map(Array.from({ length: ROWS }, (_, row) => [row + 1, `credential ${row + 1}`]));
    // The credential's role owns the table, as where an application makes its own: the swap hands over what the key is rotated in.
    await run(
      database.url,
      `CREATE ROLE ${id(`${name}_old`)} LOGIN PASSWORD '${password}';
       CREATE TABLE ${id(name)} (id bigint PRIMARY KEY, value text NOT NULL);
       ALTER TABLE ${id(name)} OWNER TO ${id(`${name}_old`)};
       INSERT INTO ${id(name)} VALUES ${[...truth].map(([row, text]) => `(${row}, '${sealed(text, before.key)}')`).join(', ')};
       ANALYZE ${id(name)}`,
    );
    const envFile = join(inventory, '.env');
    await writeFile(
      envFile,
      `SESSION_SECRET=${before.session}\nDATABASE_URL=${before.url}\nKEY=${before.key}\nOTHER='kept'\n`,
      { mode: 0o600 },
    );
    const web = new Web(envFile, id(name), truth);
    await web.start();
    const system = new System(name, strategy, inventory, database, before, web, taskQueue, databases);
    await writeFile(join(inventory, 'system.yaml'), JSON.stringify(inventoryOf(system), null, 1));
    return system;
  }

  async remove(): Promise<void> {
    const { name, database } = this;
    await this.web.end();
    await run(database.url, `DROP TABLE ${id(name)}`);
    const roles = await run(database.url, `SELECT rolname FROM pg_roles WHERE starts_with(rolname, '${name}_')`);
    for (const { rolname } of roles) await run(database.url, `DROP OWNED BY ${id(String(rolname))}`);
    for (const { rolname } of roles) await run(database.url, `DROP ROLE ${id(String(rolname))}`);
    this.databases.takeBack(database);
    await rm(this.inventory, { recursive: true });
  }
}

function inventoryOf({ name, strategy, web }: System): unknown {
  const often = { passes: 1, every: '200ms', within: '20s' };
  const shared = { store: 'env', services: ['web'], verify: ['sign-in'], watch: '1s', monitors: ['healthy', 'errors'] };
  return {
    system: name,
    stores: { env: { type: 'dotenv', file: '.env' } },
    databases: { app: { url: { env: 'ADMIN' } } },
    services: {
      web: {
        deploy: { type: 'command', argv: web.argv('deploy'), stop: web.argv('stop'), timeout: '30s' },
        health: ['health'],
      },
    },
    checks: {
      health: { type: 'http', url: `${web.url}/health`, expect: { status: 200 }, ...often },
      'sign-in': {
        type: 'http-flow',
        steps: [{ name: 'log in', url: `${web.url}/login`, capture: { token: 'json:/token' } }],
        ...often,
      },
    },
    monitors: {
      healthy: { type: 'check', check: 'health', every: '250ms' },
      errors: {
        type: 'counter',
        measure: { type: 'http', url: `${web.url}/errors`, json: '/errors' },
        every: '250ms',
        maximumIncrease: 0,
      },
    },
    environments: [{ name: 'production', tier: 'production', approval: { gates: [] } }],
    secrets: {
      SESSION_SECRET: {
        ...{ kind: 'session', generator: 'hex:32', ...shared },
        overlap: { style: 'list', tokenLifetime: '1s', skew: '0s' },
        proof: {
          ...{ type: 'jwt', login: 'sign-in', capture: 'token' },
          request: { url: `${web.url}/me`, headers: { Authorization: 'Bearer ${captured.token}' } },
        },
      },
      DATABASE_URL: {
        ...{ kind: 'database', generator: 'hex:32', ...shared },
        swap: {
          ...{ database: 'app', strategy, credential: { in: 'url' }, rolePrefix: `${name}_new` },
          ...{ delay: '1s', observe: '1s', watchEvery: '1s' },
        },
      },
      KEY: {
        ...{ kind: 'encryption', generator: 'fernet', ...shared },
        encryption: { database: 'app', mode: 'atomic', key: 'fernet', columns: [{ table: name, column: 'value' }] },
      },
    },
  };
}
