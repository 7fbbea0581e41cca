/** The backups that lie in a directory, as their manifests tell, and whether their archives are still what was written. */
import { join } from 'node:path';
import type { BackupEntry } from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import { filesIn } from './directory.js';
import { isUnchanged, readManifest, type Manifest } from './manifest.js';
import { besideArchive, MANIFEST_NAME } from './places.js';
import type { Sealer } from './seal.js';

/** `proven`: it counts. Everything else does not. */
export type BackupState =
  'proven' | 'unproven' | 'archive changed' | 'archive missing' | 'manifest altered' | 'manifest unreadable';

export interface FoundBackup {
  /** The archive's path. */
  readonly archive: string;
  readonly state: BackupState;
  /** null: unreadable. */
  readonly manifest: Manifest | null;
}

/**
 * The youngest first. Archives without a manifest are of runs that ended before they could be proven; they are left out.
 * @throws KeyturnError `not-found` when there is no such directory, `not-writable` when it cannot be read.
 */
export async function readBackups(directory: string, seals: Sealer): Promise<FoundBackup[]> {
  const files = await filesIn(directory);
  const found = await Promise.all(
    files.filter((name) => MANIFEST_NAME.test(name)).map((name) => look(join(directory, name), seals)),
  );
  return found.sort((one, other) => youth(other) - youth(one));
}

export function names({ manifest }: FoundBackup, ref: string): BackupEntry[] {
  return manifest?.secrets.filter((entry) => entry.ref === ref) ?? [];
}

/** From when its age counts: its proof. @returns milliseconds since 1970; 0: never proven. */
export function youth({ manifest }: FoundBackup): number {
  return manifest?.provenAt ? Date.parse(manifest.provenAt) : 0;
}

async function look(path: string, seals: Sealer): Promise<FoundBackup> {
  const place = besideArchive(path.replace(/\.json$/, ''));
  const found = await readManifest(path, seals);
  const { archive } = place;
  if (found.state === 'missing' || found.state === 'unreadable') {
    return { archive, state: 'manifest unreadable', manifest: null };
  }
  const { manifest } = found;
  if (found.state === 'altered') return { archive, state: 'manifest altered', manifest };
  if (manifest.provenAt === null) return { archive, state: 'unproven', manifest };
  try {
    return { archive, state: (await isUnchanged(place, manifest)) ? 'proven' : 'archive changed', manifest };
  } catch (error) {
    if (error instanceof KeyturnError) return { archive, state: 'archive changed', manifest };
    throw error;
  }
}
