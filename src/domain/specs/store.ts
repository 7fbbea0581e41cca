/** What an inventory says about the places where values live. */
import { z } from 'zod';
import { text } from './common.js';

const dotenvStore = z.strictObject({
  type: z.literal('dotenv'),
  /** Relative to the inventory file. Keyturn keeps pending and previous values beside it in `FILE.keyturn` (mode 0600). */
  file: text.describe('Relative to the inventory file'),
});

const dockerSecretsStore = z.strictObject({
  type: z.literal('docker-secrets'),
  /**
   * Relative to the inventory file: what Compose mounts file by file, each file a secret, its name the secret's `key`. Keyturn
   * keeps pending and previous values beside it in `DIRECTORY.keyturn` (mode 0600), where no container mounts them.
   */
  directory: text.describe('Relative to the inventory file; every file in it is a secret, named by its key'),
});

export const storeSpec = z.discriminatedUnion('type', [dotenvStore, dockerSecretsStore]);
export type StoreSpec = z.infer<typeof storeSpec>;
export type DotenvStoreSpec = z.infer<typeof dotenvStore>;
export type DockerSecretsStoreSpec = z.infer<typeof dockerSecretsStore>;
