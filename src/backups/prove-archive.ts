/**
 * A backup counts once it was restored: read back from where it lies, decrypted, and found to hold what the stores hold now. One that
 * cannot be proven is kept aside under a name that says so: it may be the only copy of something, and it is encrypted.
 */
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../domain/errors.js';
import { formatBackup, type BackupPlan } from '../domain/backup.js';
import { formatRef } from '../domain/refs.js';
import { errorCode, fileError } from '../stores/files/file-errors.js';
import { syncDirectory } from '../stores/files/replace-file.js';
import type { Fingerprinter } from '../stores/fingerprint.js';
import { openStore } from '../stores/open-store.js';
import type { ArchiveFormat } from './archive-format.js';
import { decodeContents, type ArchivedValue, type Contents } from './contents.js';
import { entryOf, type BackupDeps, type Made } from './make-archive.js';
import { readManifest, readWhole, sha256, writeManifest, type Manifest } from './manifest.js';
import { asideOf, placeOf, type ArchivePlace } from './places.js';
import type { Sealer } from './seal.js';

/**
 * Idempotent: a proven archive is proven again, and keeps the time of its first proof.
 * @throws KeyturnError `archive-missing`, `archive-changed`, `changed-meanwhile` (a store has another value by now), and what
 * `decrypt` throws; nothing is marked as proven then.
 */
export async function proveArchive(plan: BackupPlan, deps: BackupDeps, signal: AbortSignal): Promise<Made> {
  const { fingerprint, seals, format } = deps;
  const place = placeOf(plan);
  const manifest = await ownManifest(plan, place, seals);
  const contents = await readBack(place, manifest, format, signal);
  assertSameEntries(contents, manifest);
  for (const value of contents.values) await assertInStore(value, plan, fingerprint);
  if (manifest.provenAt !== null) return { place, manifest };
  const proven = { ...manifest, provenAt: new Date().toISOString() };
  signal.throwIfAborted();
  await writeManifest(place.manifest, proven, deps);
  return { place, manifest: proven };
}

/** Undo of making one. Idempotent. @returns what was done, for people. @throws KeyturnError as `replaceFile`. */
export async function setAside(plan: BackupPlan, why: string, seals: Sealer): Promise<string> {
  const place = placeOf(plan);
  const found = await readManifest(place.manifest, seals);
  if (found.state === 'sealed' && found.manifest.provenAt !== null)
    return 'the archive had been proven by then: it counts';
  const aside = asideOf(place);
  // The manifest first: without it the archive under its old name does not count already.
  if (found.state === 'sealed') await writeManifest(aside.manifest, { ...found.manifest, unproven: why }, { seals });
  const moved = await moveAside(place, aside);
  return moved ? `kept aside, unproven: ${aside.archive}` : 'nothing was written';
}

async function moveAside(place: ArchivePlace, aside: ArchivePlace): Promise<boolean> {
  try {
    await rm(place.manifest, { force: true });
    const moved = await rename(place.archive, aside.archive).then(
      () => true,
      (error: unknown) => {
        if (errorCode(error) === 'ENOENT') return false;
        throw error;
      },
    );
    await syncDirectory(dirname(place.archive));
    return moved || (await readWhole(aside.archive)) !== null;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw fileError(error, `move ${place.archive} aside`, 'unknown');
  }
}

async function ownManifest(plan: BackupPlan, place: ArchivePlace, seals: Sealer): Promise<Manifest> {
  const found = await readManifest(place.manifest, seals);
  if (found.state === 'sealed' && found.manifest.backup === formatBackup(plan.ref)) return found.manifest;
  const code = found.state === 'missing' ? 'archive-missing' : 'archive-changed';
  throw new KeyturnError(
    code,
    `the manifest ${place.manifest} is ${found.state === 'sealed' ? 'another backup’s' : found.state}`,
  );
}

async function readBack(
  place: ArchivePlace,
  manifest: Manifest,
  format: ArchiveFormat,
  signal: AbortSignal,
): Promise<Contents> {
  const archive = await readWhole(place.archive);
  if (archive === null) throw new KeyturnError('archive-missing', `the archive ${place.archive} is gone`);
  if (sha256(archive) !== manifest.sha256) {
    throw new KeyturnError('archive-changed', `the archive ${place.archive} is not what was written`, {
      hint: 'somebody or something writes there too, or the medium is failing: look at both, then start again',
    });
  }
  const plaintext = await format.decrypt(archive, signal);
  try {
    return decodeContents(plaintext);
  } finally {
    plaintext.fill(0);
  }
}

function assertSameEntries({ backup, values }: Contents, manifest: Manifest): void {
  const [inside, beside] = [values.map(entryOf), manifest.secrets.map(entryOf)].map((entries) =>
    JSON.stringify(entries),
  );
  if (inside === beside && backup === manifest.backup) return;
  throw new KeyturnError('archive-changed', 'the archive holds something else than its manifest says');
}

async function assertInStore(archived: ArchivedValue, plan: BackupPlan, fingerprint: Fingerprinter): Promise<void> {
  const { ref, version, value } = archived;
  const slot = plan.secrets.find((secret) => formatRef(secret.ref) === ref)?.slot;
  const isOwn = fingerprint(value).fingerprint === archived.fingerprint;
  if (!slot || !isOwn)
    throw new KeyturnError('archive-changed', `the archive's value of ${ref} is not what was written`);
  const now = await openStore(slot.store, { fingerprint })
    .read(slot, version)
    .catch((error: unknown) => {
      if (error instanceof KeyturnError && error.code === 'not-found') return null;
      throw error;
    });
  if (now?.equals(value)) return;
  throw new KeyturnError('changed-meanwhile', `the ${version} value of ${ref} was changed while it was backed up`, {
    hint: 'start the backup again once whatever changed it has ended',
  });
}
