/** A directory of secrets with its store, and a person's editor. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SecretSlot } from '../../../src/domain/slot.js';
import {
  DockerSecretsStore,
  type DockerSecretsStoreOptions,
} from '../../../src/stores/secret-files/docker-secrets-store.js';
import { fingerprint } from './env-fixture.js';

export interface SecretsFixture {
  /** What holds the directory, and what Keyturn keeps beside it. */
  readonly home: string;
  readonly directory: string;
  store(options?: Partial<DockerSecretsStoreOptions>): DockerSecretsStore;
  slot(key: string, rest?: Partial<SecretSlot>): SecretSlot;
  path(name: string): string;
  text(name: string): Promise<string>;
  write(name: string, text: string): Promise<void>;
  /** Names, contents, owners and modes of all that an application can see. */
  snapshot(): Promise<string>;
  close(): Promise<void>;
}

export async function secretsFixture(files: Readonly<Record<string, string>>): Promise<SecretsFixture> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-secrets-'));
  const directory = join(home, 'secrets');
  await mkdir(directory, { mode: 0o700 });
  const path = (name: string) => join(directory, name);
  for (const [name, text] of Object.entries(files)) await writeFile(path(name), text, { mode: 0o400 });
  const spec = { type: 'docker-secrets', directory } as const;
  return {
    home,
    directory,
    path,
    store: (options = {}) => new DockerSecretsStore(spec, { fingerprint, ...options }),
    slot: (key, rest = {}) => ({ store: spec, key, exposure: { style: 'single' }, ...rest }),
    text: (name) => readFile(path(name), 'utf8'),
    // As an editor does that saves beside and renames: the modes of these files let nobody write into them.
    write: async (name, text) => {
      await rm(path(name), { force: true });
      await writeFile(path(name), text, { mode: 0o400 });
    },
    snapshot: async () => {
      const names = (await readdir(directory)).sort();
      const lines = names.map(async (name) => {
        const { mode, uid, gid } = await stat(path(name));
        return [name, (mode & 0o7777).toString(8), uid, gid, (await readFile(path(name))).toString('base64')].join(' ');
      });
      return (await Promise.all(lines)).join('\n');
    },
    close: () => rm(home, { recursive: true, force: true }),
  };
}
