/** Reads the values, encrypts them in memory, and writes the archive and its manifest. It does not count yet: see prove-archive.ts. */
import { KeyturnError } from '../domain/errors.js';
import { formatBackup, type BackedUpSecret, type BackupEntry, type BackupPlan } from '../domain/backup.js';
import { formatRef } from '../domain/refs.js';
import type { VersionLabel } from '../domain/slot.js';
import { removeTemporaries, replaceFile } from '../stores/files/replace-file.js';
import type { Fingerprinter } from '../stores/fingerprint.js';
import { openStore } from '../stores/open-store.js';
import type { ArchiveFormat } from './archive-format.js';
import { filesIn } from './directory.js';
import { encodeContents, type ArchivedValue } from './contents.js';
import { isUnchanged, readManifest, sha256, writeManifest, type FaultPoint, type Manifest } from './manifest.js';
import { placeOf, type ArchivePlace } from './places.js';
import type { Sealer } from './seal.js';

export interface BackupDeps {
  readonly fingerprint: Fingerprinter;
  readonly seals: Sealer;
  readonly format: ArchiveFormat;
  /** Told after every step that leaves a trace in the file system; tests kill the process there. */
  readonly faultPoint?: FaultPoint;
}

export interface Made {
  readonly place: ArchivePlace;
  readonly manifest: Manifest;
}

/**
 * Idempotent for one run: an attempt that finds its archive and manifest, with the values as they are now, makes no other. One that
 * finds an archive alone writes it anew under the same name.
 * @throws KeyturnError as stores, `replaceFile` and formats do.
 */
export async function makeArchive(plan: BackupPlan, deps: BackupDeps, signal: AbortSignal): Promise<Made> {
  const { fingerprint, seals, format } = deps;
  const place = placeOf(plan);
  await filesIn(plan.directory);
  const values = await readValues(plan, fingerprint);
  if (values.length === 0) {
    throw new KeyturnError('not-found', `there is no ${plan.versions.join(' or ')} value to back up`);
  }
  const secrets = values.map(entryOf);
  const known = await readManifest(place.manifest, seals);
  if (known.state === 'sealed' && sameEntries(known.manifest.secrets, secrets)) {
    if (await isUnchanged(place, known.manifest)) return { place, manifest: known.manifest };
  }
  const backup = formatBackup(plan.ref);
  const createdAt = new Date().toISOString();
  const plaintext = encodeContents({ backup, createdAt, values });
  let archive: Buffer;
  try {
    archive = await format.encrypt(plaintext, signal);
  } finally {
    plaintext.fill(0);
  }
  // Of an attempt that was killed: ciphertext only.
  await removeTemporaries(place.archive);
  // An attempt that was given up while it slept must not write over what its successor has made.
  const guard = (): Promise<void> => {
    signal.throwIfAborted();
    return Promise.resolve();
  };
  const faultPoint: FaultPoint = (name) => deps.faultPoint?.(`archive ${name}`);
  await replaceFile({ path: place.archive, content: archive, mode: 0o600, guard, faultPoint });
  const manifest: Manifest = {
    keyturn: 'backup manifest',
    format: 1,
    backup,
    requestId: plan.requestId,
    encryption: format.name,
    sha256: sha256(archive),
    createdAt,
    provenAt: null,
    unproven: null,
    secrets,
  };
  await writeManifest(place.manifest, manifest, deps);
  return { place, manifest };
}

/** In the order of the plan. @throws KeyturnError `not-found` for a secret without a current value. */
async function readValues(plan: BackupPlan, fingerprint: Fingerprinter): Promise<ArchivedValue[]> {
  const values: ArchivedValue[] = [];
  for (const secret of plan.secrets) {
    for (const version of await versionsOf(secret, plan.versions, fingerprint)) {
      const value = await openStore(secret.slot.store, { fingerprint }).read(secret.slot, version);
      values.push({
        ref: formatRef(secret.ref),
        version,
        kind: secret.kind,
        fingerprint: fingerprint(value).fingerprint,
        createdAt: new Date().toISOString(),
        value,
      });
    }
  }
  return values;
}

async function versionsOf(
  { slot, ref }: BackedUpSecret,
  wanted: readonly VersionLabel[],
  fingerprint: Fingerprinter,
): Promise<VersionLabel[]> {
  const versions = await openStore(slot.store, { fingerprint }).describe(slot);
  if (wanted.includes('current') && versions.current === null) {
    throw new KeyturnError('not-found', `${formatRef(ref)} has no value in its store: there is nothing to back up`, {
      hint: 'set a first value by hand, or take the secret out of the backup',
    });
  }
  return wanted.filter((version) => versions[version] !== null);
}

export function entryOf({ ref, version, kind, fingerprint }: BackupEntry): BackupEntry {
  return { ref, version, kind, fingerprint };
}

function sameEntries(one: readonly BackupEntry[], other: readonly BackupEntry[]): boolean {
  return JSON.stringify(one.map(entryOf)) === JSON.stringify(other.map(entryOf));
}
