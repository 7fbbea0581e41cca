/** What an inventory says about the places where values live. */
import { z } from 'zod';
import { text } from './common.js';

/**
 * `compose` Docker Compose (`--env-file`, `env_file:`) · `raw` `docker run --env-file` and `format: raw` · `bash` `. FILE` ·
 * the libraries of Python and Node.
 */
export const READER_NAMES = ['compose', 'raw', 'bash', 'python-dotenv', 'npm-dotenv'] as const;
export type ReaderName = (typeof READER_NAMES)[number];

const dotenvStore = z.strictObject({
  type: z.literal('dotenv'),
  /** Relative to the inventory file. Keyturn keeps pending and previous values beside it in `FILE.keyturn` (mode 0600). */
  file: text.describe('Relative to the inventory file'),
  /** They must all read the same value. */
  readers: z
    .array(z.enum(READER_NAMES))
    .min(1)
    .optional()
    .describe('Who reads the file; default: compose where all its services are deployed by Compose, else whoever can'),
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
