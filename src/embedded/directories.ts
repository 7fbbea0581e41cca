/** Where Keyturn keeps what is not the clone's: the user's cache and state, and directories that live as long as a process. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { removeAtEnd } from './reaper.js';

/** Downloads and copies that can be made again. */
export function cacheDirectory(): string {
  return envPaths('keyturn', { suffix: '' }).cache;
}

/** What should survive a restart of the machine, but is not configuration: sessions, logs. Mode 0700. */
export async function stateDirectory(...path: string[]): Promise<string> {
  const directory = join(envPaths('keyturn', { suffix: '' }).log, ...path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  return directory;
}

export interface TemporaryDirectory {
  readonly path: string;
  /** Idempotent. */
  remove(): Promise<void>;
}

/** A new directory of mode 0700 that goes when this process does, also when it is killed. */
export async function temporaryDirectory(purpose: string, parent: string = tmpdir()): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(parent, `keyturn-${purpose}-`));
  removeAtEnd(path);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
