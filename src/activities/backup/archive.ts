/** What a run of backups writes. */
import { basename } from 'node:path';
import { makeArchive as make, type BackupDeps, type Made } from '../../backups/make-archive.js';
import { openFormat } from '../../backups/open-format.js';
import { proveArchive as prove, setAside } from '../../backups/prove-archive.js';
import { printArchive as print } from '../../backups/qr.js';
import type { BackupPlan } from '../../domain/backup.js';
import type { Evidence } from '../../domain/evidence.js';
import { KeyturnError } from '../../domain/errors.js';
import { shortFingerprint } from '../../domain/slot.js';
import { credentialResolver } from '../credentials.js';
import type { ActivityDeps } from '../deps.js';

/** A reason stands in a manifest, beside the archive. */
const LONGEST_REASON = 500;

export async function makeArchive(plan: BackupPlan, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const made = await make(plan, await depsOf(plan, deps), signal);
  const held = made.manifest.secrets.map(
    ({ ref, version, fingerprint }) => `${ref} ${version} ${shortFingerprint(fingerprint)}`,
  );
  return { summary: `${made.place.archive} holds ${held.join(', ')}`, facts: factsOf(made) };
}

export async function proveArchive(plan: BackupPlan, deps: ActivityDeps, signal: AbortSignal): Promise<Evidence> {
  const proven = await prove(plan, await depsOf(plan, deps), signal);
  const count = proven.manifest.secrets.length;
  const values = count === 1 ? '1 value is what its store holds' : `all ${count} values are what their stores hold`;
  return { summary: `read back and decrypted: ${values}`, facts: factsOf(proven) };
}

export async function setArchiveAside(
  { plan, why }: { plan: BackupPlan; why: string },
  { seals }: ActivityDeps,
): Promise<Evidence> {
  return { summary: await setAside(plan, why.slice(0, LONGEST_REASON), seals) };
}

export async function printArchive(plan: BackupPlan, { seals }: ActivityDeps): Promise<Evidence> {
  if (plan.qr === null)
    throw new KeyturnError('bad-inventory', 'this backup is not printed: the inventory names no qr');
  const files = await print(plan, plan.qr, seals);
  const codes = files.length === 1 ? 'one code' : `${files.length} codes, all of them needed`;
  return { summary: `${codes}: ${files.map((file) => basename(file)).join(', ')}`, facts: { codes: files.length } };
}

async function depsOf(plan: BackupPlan, { fingerprint, seals, variables }: ActivityDeps): Promise<BackupDeps> {
  return { fingerprint, seals, format: await openFormat(plan.encryption, credentialResolver(variables)) };
}

function factsOf({ place, manifest }: Made): Evidence['facts'] & object {
  const { sha256, provenAt, secrets } = manifest;
  return { archive: place.archive, sha256, provenAt, values: secrets.length };
}
