/**
 * A secret as a file of a directory that is mounted into containers, as Docker Compose does it (`secrets: { x: { file: … } }`,
 * read there through `X_FILE`). `current` is the file; `pending` and `previous` wait in `DIRECTORY.keyturn`, beside the
 * directory, where no container mounts them. The protocol is that of versions/versioned-store.ts.
 *
 * A running container keeps the file that it was started with: the new one is seen when it is restarted or made anew.
 */
import { readdir } from 'node:fs/promises';
import type { DockerSecretsStoreSpec } from '../../domain/specs/store.js';
import { fileError } from '../files/file-errors.js';
import { secondName } from '../versions/arrangements.js';
import type { Medium } from '../versions/medium.js';
import { VersionedStore, type VersionedStoreOptions } from '../versions/versioned-store.js';
import { lookAt, resolveDirectory, type DirectoryLook } from './directory.js';
import { between, changesFor, readShown, remember } from './exposure.js';
import { preflight } from './preflight.js';

export interface DockerSecretsStoreOptions extends VersionedStoreOptions {
  /** A symlinked directory must lie below this one; default: the directory that holds the link. */
  readonly root?: string;
}

export class DockerSecretsStore extends VersionedStore<DirectoryLook> {
  constructor(spec: DockerSecretsStoreSpec, options: DockerSecretsStoreOptions) {
    super(directoryMedium(spec.directory, options.root), options);
  }
}

function directoryMedium(path: string, root: string | undefined): Medium<DirectoryLook> {
  return {
    locate: () => resolveDirectory(path, root),
    look: async (places) => {
      const directory = await resolveDirectory(path, root);
      const names = await readdir(directory).catch((error: unknown) => {
        throw fileError(error, `read ${directory}`);
      });
      const wanted = places.flatMap(({ key, exposure }) => [key, secondName(exposure) ?? key]);
      return lookAt(directory, wanted, names);
    },
    read: readShown,
    remember,
    changes: changesFor,
    between,
    preflight,
  };
}
