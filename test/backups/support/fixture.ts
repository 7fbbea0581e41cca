/** A system of two secrets in an env file, a place for their backups, and keys. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import type { ArchiveFormat } from '../../../src/backups/archive-format.js';
import type { BackupDeps } from '../../../src/backups/make-archive.js';
import { openFormat } from '../../../src/backups/open-format.js';
import { createSealer, type Sealer } from '../../../src/backups/seal.js';
import type { BackupPlan, BackupEncryption } from '../../../src/domain/backup.js';
import { KeyturnError } from '../../../src/domain/errors.js';
import { SecretValue } from '../../../src/domain/secret-value.js';
import type { SecretSlot } from '../../../src/domain/slot.js';
import { createFingerprinter, type Fingerprinter } from '../../../src/stores/fingerprint.js';
import { openStore } from '../../../src/stores/open-store.js';
import type { SecretStore } from '../../../src/stores/secret-store.js';

export const FINGERPRINT_KEY = 'fingerprint-key-of-the-backup-tests-0123456789';
export const running = new AbortController().signal;

export interface BackupFixture {
  readonly root: string;
  readonly directory: string;
  readonly envFile: string;
  /** What stands in the env file at first. */
  readonly values: { readonly KEY: string; readonly SESSION: string };
  readonly identity: string;
  readonly passphrase: string;
  readonly fingerprint: Fingerprinter;
  readonly seals: Sealer;
  readonly store: SecretStore;
  slot(key: 'KEY' | 'SESSION'): SecretSlot;
  plan(changes?: Partial<BackupPlan>): BackupPlan;
  encryption(format: 'age' | 'gpg'): BackupEncryption;
  deps(plan: BackupPlan): Promise<BackupDeps>;
  format(plan: BackupPlan): Promise<ArchiveFormat>;
  /** Names in the directory of backups, in order. */
  files(): Promise<string[]>;
  /** Everything that lies there, as one text. */
  everything(): Promise<string>;
  remove(): Promise<void>;
}

export async function backupFixture(): Promise<BackupFixture> {
  const root = await mkdtemp(join(tmpdir(), 'keyturn-backup-'));
  const directory = join(root, 'vault');
  await mkdir(directory, { mode: 0o700 });
  const app = join(root, 'app');
  await mkdir(app);
  const envFile = join(app, '.env');
  const values = { KEY: randomBytes(32).toString('base64url'), SESSION: randomBytes(32).toString('hex') };
  await writeFile(envFile, `KEY=${values.KEY}\nSESSION=${values.SESSION}\n`);
  const identity = await generateIdentity();
  const recipients = [await identityToRecipient(identity), await identityToRecipient(await generateIdentity())];
  const passphrase = randomBytes(24).toString('base64');
  const fingerprint = createFingerprinter(FINGERPRINT_KEY);
  const seals = createSealer(FINGERPRINT_KEY);
  const resolve = (ref: { env: string } | { file: string }): Promise<SecretValue> => {
    const text = 'env' in ref ? { IDENTITY: identity, PASSPHRASE: passphrase }[ref.env] : undefined;
    if (text === undefined) throw new KeyturnError('credential-missing', 'no such credential');
    return Promise.resolve(new SecretValue(text));
  };
  const slot = (key: 'KEY' | 'SESSION'): SecretSlot => ({
    store: { type: 'dotenv', file: envFile },
    key,
    exposure: { style: 'single' },
  });
  const encryption = (format: 'age' | 'gpg'): BackupEncryption =>
    format === 'age'
      ? { format, recipients, identity: { env: 'IDENTITY' } }
      : { format, passphrase: { env: 'PASSPHRASE' } };
  const secret = (key: 'KEY' | 'SESSION', critical: boolean): BackupPlan['secrets'][number] => ({
    ref: { system: 'arena', environment: 'production', secret: key },
    kind: critical ? 'encryption' : 'session',
    critical,
    slot: slot(key),
  });
  return {
    root,
    directory,
    envFile,
    values,
    identity,
    passphrase,
    fingerprint,
    seals,
    store: openStore(slot('KEY').store, { fingerprint }),
    slot,
    encryption,
    plan: (changes = {}) => ({
      ref: { system: 'arena', environment: 'production', backup: 'keys' },
      operator: 'ana@example.test',
      note: null,
      requestId: '019aa9d0-1111-7222-8333-abcdef012345',
      at: '2026-11-21T23:04:05.678Z',
      taskQueue: 'keyturn',
      inventoryFile: join(app, 'system.yaml'),
      command: 'keyturn',
      directory,
      secrets: [secret('KEY', true), secret('SESSION', false)],
      encryption: encryption('age'),
      maxAge: '90d',
      qr: null,
      versions: ['current', 'pending'],
      ...changes,
    }),
    format: (plan) => openFormat(plan.encryption, resolve),
    deps: async (plan) => ({ fingerprint, seals, format: await openFormat(plan.encryption, resolve) }),
    files: async () => (await readdir(directory)).sort(),
    everything: async () => {
      const names = await readdir(directory);
      const contents = await Promise.all(names.map((name) => readFile(join(directory, name), 'latin1')));
      return [...names, ...contents].join('\n');
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
