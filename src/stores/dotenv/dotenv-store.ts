/**
 * A secret in a dotenv file: `current` is the variable itself; `pending` and `previous` wait in `FILE.keyturn`. The protocol is
 * that of versions/versioned-store.ts; every change replaces the one file.
 */
import type { DotenvStoreSpec } from '../../domain/specs/store.js';
import { resolveTarget } from '../files/replaceable.js';
import { partOf } from '../parts/part.js';
import { secondName } from '../versions/arrangements.js';
import type { Look, Medium } from '../versions/medium.js';
import { VersionedStore, type VersionedStoreOptions } from '../versions/versioned-store.js';
import { audienceOf } from './agreement.js';
import { findVariable, readEnvFile, requireVariable, type EnvFile } from './env-file.js';
import { applyArrangement, readShown } from './exposure.js';
import { preflight } from './preflight.js';
import { kindOf } from './variables.js';

export interface DotenvStoreOptions extends VersionedStoreOptions {
  /** A symlinked file must lie below this directory; default: the directory that the inventory names. */
  readonly root?: string;
}

export class DotenvStore extends VersionedStore<EnvLook> {
  constructor(spec: DotenvStoreSpec, options: DotenvStoreOptions) {
    super(dotenvMedium(spec, options.root), options);
  }
}

interface EnvLook extends Look {
  readonly file: EnvFile;
}

function dotenvMedium({ file: path, readers }: DotenvStoreSpec, root: string | undefined): Medium<EnvLook> {
  const audience = audienceOf(readers);
  return {
    locate: async () => (await resolveTarget(path, root)).path,
    look: async () => {
      const file = await readEnvFile(path, audience, root);
      return { file, seen: [{ path: file.target.path, bytes: file.bytes }] };
    },
    read: ({ file }, place) => readShown(file, place),
    remember: ({ file }, { key, part, exposure }) => {
      const { assignment, value } = requireVariable(file, key, kindOf(exposure));
      const place = partOf(part).locate(value);
      const second = secondName(exposure);
      const other = second === undefined ? undefined : findVariable(file, second);
      return {
        original: { raw: assignment.raw.text, value, piece: value.slice(place.start, place.end) },
        second: other ? { raw: other.assignment.raw.text, value: other.value } : null,
      };
    },
    changes: ({ file }, entry, arrangement) => {
      const content = Buffer.from(applyArrangement(file, entry, arrangement), 'utf8');
      return [{ path: file.target.path, label: 'env file', bytes: file.bytes, content }];
    },
    // Both variables stand in one file, which is replaced at once.
    between: () => undefined,
    preflight: ({ file }, slot, entry) => preflight(file, slot, entry),
  };
}
