/** A system on disk with two backups, and workers with the real activities that make them. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { inject } from 'vitest';
import type { BackupActivities } from '../../../src/activities/backup-activities.js';
import { createActivities } from '../../../src/activities/create-activities.js';
import { backupWorkflowId } from '../../../src/domain/backup.js';
import { BACKUP_WORKFLOW_TYPE } from '../../../src/domain/messages.js';
import { findHolder, namespaceOf } from '../../../src/holder.js';
import { PostgresLedger } from '../../../src/ledger/postgres-ledger.js';
import { registerSearchAttributes } from '../../../src/search-attributes.js';
import { NO_LOCKS } from '../../../src/service-locks.js';
import { activityDeps } from '../../../src/worker.js';
import { afterwards } from '../../support/afterwards.js';
import { freshLedger } from '../../support/ledgers.js';

const codePath = fileURLToPath(new URL('../../../dist/workflow-bundle.js', import.meta.url));
const FINGERPRINT_KEY = 'fingerprint-key-of-the-backup-workflow-tests';

export interface BackupWorld {
  readonly system: string;
  readonly root: string;
  readonly taskQueue: string;
  readonly values: Readonly<Record<'KEY' | 'SESSION', string>>;
  readonly passphrase: string;
  readonly identity: string;
  /** What the worker logged. */
  readonly logged: string[];
  readonly variables: Record<string, string | undefined>;
  setValue(name: 'KEY' | 'SESSION', value: string): Promise<void>;
  /** Names below `vault/`, in order. */
  files(): Promise<string[]>;
  everything(): Promise<string>;
}

export interface BackupStage {
  readonly client: Client;
  readonly ledger: PostgresLedger;
  world(options?: { passphraseOf?: 'variable' | 'nobody'; qr?: boolean }): Promise<BackupWorld>;
  withWorker<T>(
    world: BackupWorld,
    body: () => Promise<T>,
    wrap?: (activities: BackupActivities) => Partial<BackupActivities>,
  ): Promise<T>;
  start(world: BackupWorld, input?: { environment?: string; backup?: string; note?: string }): Promise<WorkflowHandle>;
}

/** `key` is by age and has codes; `session` is by gpg. */
export async function openBackupStage(): Promise<BackupStage> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = inject('temporalAddress');
  const connection = await NativeConnection.connect({ address });
  afterwards(() => connection.close());
  await registerSearchAttributes(connection, 'default');
  const clientConnection = await Connection.connect({ address });
  afterwards(() => clientConnection.close());
  const client = new Client({ connection: clientConnection });
  const database = await freshLedger('backups');
  const ledger = new PostgresLedger(database.url);
  afterwards(() => ledger.close());
  return {
    client,
    ledger,
    world: ({ passphraseOf = 'variable', qr = true } = {}) => makeWorld(passphraseOf === 'variable', qr),
    withWorker: async (world, body, wrap) => {
      const deps = activityDeps(
        { inventory: join(world.root, 'inventory'), variables: world.variables, fingerprintKey: FINGERPRINT_KEY },
        ledger,
        {
          log: (level, message, fields) => void world.logged.push(JSON.stringify({ level, message, fields })),
          findHolder: (id) => findHolder(client, id),
          namespace: namespaceOf(client),
          serviceLocks: NO_LOCKS,
        },
      );
      const activities = createActivities(deps);
      const worker = await Worker.create({
        connection,
        taskQueue: world.taskQueue,
        workflowBundle: { codePath },
        activities: { ...activities, ...wrap?.(activities) },
      });
      return await worker.runUntil(body());
    },
    start: (world, input = {}) => {
      const selector = { system: world.system, environment: input.environment, backup: input.backup };
      return client.workflow.start(BACKUP_WORKFLOW_TYPE, {
        workflowId: backupWorkflowId(selector),
        taskQueue: world.taskQueue,
        args: [{ ...input, system: world.system, operator: 'ana@example.test' }],
      });
    },
  };
}

async function makeWorld(hasPassphrase: boolean, qr: boolean): Promise<BackupWorld> {
  const root = await mkdtemp(join(tmpdir(), 'keyturn-backup-runs-'));
  afterwards(() => rm(root, { recursive: true, force: true }));
  const id = randomUUID().slice(0, 8);
  const [system, taskQueue] = [`arena-${id}`, `backups-${id}`];
  const values = { KEY: randomBytes(32).toString('base64url'), SESSION: randomBytes(32).toString('hex') };
  const identity = await generateIdentity();
  const passphrase = randomBytes(24).toString('base64');
  for (const directory of ['inventory', 'app', 'vault/key', 'vault/session']) {
    await mkdir(join(root, directory), { recursive: true, mode: 0o700 });
  }
  const write = (): Promise<void> =>
    writeFile(join(root, 'app/.env'), `KEY=${values.KEY}\nSESSION=${values.SESSION}\n`);
  await write();
  await writeFile(
    join(root, 'inventory', 'arena.yaml'),
    `system: ${system}
stores: { env: { type: dotenv, file: ../app/.env } }
services: { app: { deploy: { type: command, argv: ['true'] }, health: [alive] } }
checks: { alive: { type: command, argv: ['true'], passes: 1, every: 100ms, within: 5s } }
backups:
  key:
    secrets: KEY
    to: { directory: ../vault/key }
    format: age
    recipients: [${await identityToRecipient(identity)}, ${await identityToRecipient(await generateIdentity())}]
    proof: { identity: { file: '../identity.txt' } }
    maxAge: 30d
${qr ? '    qr: svg\n' : ''}  session:
    secrets: SESSION
    to: { directory: ../vault/session }
    format: gpg
    passphrase: { env: BACKUP_PASSPHRASE }
environments: [{ name: production, tier: production, taskQueue: ${taskQueue} }]
secrets:
  KEY: { kind: signing, critical: true, store: env, cadence: 90d, services: [app] }
  SESSION: { kind: session, store: env, services: [app] }
`,
  );
  await writeFile(join(root, 'identity.txt'), `# for tests\n${identity}\n`, { mode: 0o600 });
  const files = async (): Promise<string[]> => {
    const entries = await readdir(join(root, 'vault'), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
  };
  return {
    system,
    root,
    taskQueue,
    values,
    passphrase,
    identity,
    logged: [],
    variables: { PATH: process.env['PATH'], ...(hasPassphrase ? { BACKUP_PASSPHRASE: passphrase } : {}) },
    setValue: async (name, value) => {
      values[name] = value;
      await write();
    },
    files: async () => (await files()).map((path) => path.slice(join(root, 'vault').length + 1)),
    everything: async () => (await Promise.all((await files()).map((path) => readFile(path, 'latin1')))).join('\n'),
  };
}
