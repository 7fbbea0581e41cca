/** From a store's description to the store. */
import type { StoreSpec } from '../domain/specs/store.js';
import { DotenvStore } from './dotenv/dotenv-store.js';
import type { Fingerprinter } from './fingerprint.js';
import { DockerSecretsStore } from './secret-files/docker-secrets-store.js';
import type { Descriptions, SecretStore } from './secret-store.js';

export interface StoreDeps {
  readonly fingerprint: Fingerprinter;
  readonly descriptions?: Descriptions;
  /** A symlinked file or directory must lie below this one; default: the directory that the store's description names. */
  readonly root?: string;
}

/** @param spec resolved: file paths are absolute. Opens nothing yet: the first call does. */
export function openStore(spec: StoreSpec, deps: StoreDeps): SecretStore {
  switch (spec.type) {
    case 'dotenv':
      return new DotenvStore(spec, deps);
    case 'docker-secrets':
      return new DockerSecretsStore(spec, deps);
  }
}
