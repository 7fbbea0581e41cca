/** What an inventory says about the places where values live. */
import { z } from 'zod';
import { text } from './common.js';

/**
 * `compose` Docker Compose (`--env-file`, `env_file:`) · `raw` `docker run --env-file` and `format: raw` · `bash` `. FILE` ·
 * the libraries of Python and Node.
 */
export const READER_NAMES = ['compose', 'raw', 'bash', 'python-dotenv', 'npm-dotenv'] as const;
export type ReaderName = (typeof READER_NAMES)[number];

const dotenvStore = z
  .strictObject({
    type: z.literal('dotenv').describe('A file of NAME=value lines, each a variable'),
    file: text.describe('The file, relative to the inventory file: .env'),
    /** They must all read the same value. */
    readers: z
      .array(z.enum(READER_NAMES))
      .min(1)
      .optional()
      .describe(
        'Who reads the file; all of them must read the same value. raw is `docker run --env-file` and `format: raw`, bash is `. FILE`. Default: compose where Compose deploys all services of the store, else all of them',
      ),
  })
  .describe(
    'An env file. Pending and previous values are kept beside it in FILE.keyturn (mode 0600), which no application reads.',
  );

const dockerSecretsStore = z
  .strictObject({
    type: z.literal('docker-secrets').describe("Files that containers mount; not Docker Swarm's own secrets"),
    directory: text.describe(
      "The directory, relative to the inventory file; each file in it is a secret, named by the secret's key",
    ),
  })
  .describe(
    'A directory whose files Compose mounts one by one. Pending and previous values are kept in DIRECTORY.keyturn (mode 0600), where no container mounts them.',
  );

export const storeSpec = z.discriminatedUnion('type', [dotenvStore, dockerSecretsStore]);
export type StoreSpec = z.infer<typeof storeSpec>;
export type DotenvStoreSpec = z.infer<typeof dotenvStore>;
export type DockerSecretsStoreSpec = z.infer<typeof dockerSecretsStore>;
