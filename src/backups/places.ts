/** Where an archive and what belongs to it lie. The name says whose it is and when it was asked for; one run has one name. */
import { join } from 'node:path';
import type { BackupPlan } from '../domain/backup.js';
import { EXTENSIONS } from './archive-format.js';

export interface ArchivePlace {
  readonly archive: string;
  readonly manifest: string;
}

/** File names have at most 255 bytes, and what is written beside them longer ones. */
const LONGEST_PART = 40;

/** Characters of the run's id in a name: two runs of one second do not meet. */
const MARK = 8;

/** The same for every attempt of a run, so that one that takes over finishes what the one before it began. */
export function placeOf(plan: BackupPlan): ArchivePlace {
  const { system, environment, backup } = plan.ref;
  const names = [system, environment, backup].map((name) => name.slice(0, LONGEST_PART));
  const time = `${plan.at.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  // The end of it, since Temporal's ids begin with the time.
  const mark = plan.requestId
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(-MARK)
    .toLowerCase();
  return besideArchive(
    join(plan.directory, `${[...names, `${time}-${mark}`].join('--')}.${EXTENSIONS[plan.encryption.format]}`),
  );
}

export function besideArchive(archive: string): ArchivePlace {
  return { archive, manifest: `${archive}.json` };
}

/** Where an archive goes whose restore could not be proven. */
export function asideOf({ archive }: ArchivePlace): ArchivePlace {
  return besideArchive(`${archive}.unproven`);
}

/** The ends of the names of manifests. */
export const MANIFEST_NAME = /\.(?:age|asc)(?:\.unproven)?\.json$/;
