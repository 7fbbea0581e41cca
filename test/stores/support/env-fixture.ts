/** A directory with an env file, its store, and a person's editor. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFingerprinter } from '../../../src/stores/fingerprint.js';
import { DotenvStore, type DotenvStoreOptions } from '../../../src/stores/dotenv/dotenv-store.js';
import type { SecretSlot } from '../../../src/domain/slot.js';

export const fingerprint = createFingerprinter('test-fingerprint-key');

export interface EnvFixture {
  readonly directory: string;
  readonly path: string;
  store(options?: Partial<DotenvStoreOptions>): DotenvStore;
  slot(key: string, rest?: Partial<SecretSlot>): SecretSlot;
  text(): Promise<string>;
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

export async function envFixture(text: string): Promise<EnvFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-env-'));
  const path = join(directory, '.env');
  await writeFile(path, text);
  const spec = { type: 'dotenv', file: path } as const;
  return {
    directory,
    path,
    store: (options = {}) => new DotenvStore(spec, { fingerprint, ...options }),
    slot: (key, rest = {}) => ({ store: spec, key, exposure: { style: 'single' }, ...rest }),
    text: () => readFile(path, 'utf8'),
    write: (changed) => writeFile(path, changed),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}
