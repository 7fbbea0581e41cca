/** Where a key may still be: in the three versions of the store, in the backups of the inventory, in archives that people offer. */
import { readBackups, names } from '../../backups/read-backups.js';
import { readArchive, restore, type OfferedKeys } from '../../backups/restore.js';
import { deriveKey } from '../../ciphers/key-material.js';
import type { BackupPlan } from '../../domain/backup.js';
import { KeyturnError } from '../../domain/errors.js';
import type { PlannedEncryption, PlannedRecovery, RotationPlan } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import type { SecretValue } from '../../domain/secret-value.js';
import type { CredentialRef } from '../../domain/specs/common.js';
import { planBackup } from '../../inventory/backups.js';
import { openStore } from '../../stores/open-store.js';
import { credentialResolver } from '../credentials.js';
import type { ActivityDeps } from '../deps.js';
import type { LeftBehind } from '../rotation-activities.js';
import { offeredFile } from './offered-file.js';

/** For one activity's lifetime. */
export interface FoundKey {
  /** `the key in use`, `backup /backups/arena.age`: what is said to people. */
  readonly name: string;
  readonly key: Buffer;
}

/**
 * The key in use and, where an earlier run left one, the other.
 * @throws KeyturnError `malformed-key`: the application could not read it either; a well-formed one must be put in its place first.
 */
export async function keysInStore(
  { slot }: RotationPlan,
  { key: form }: PlannedEncryption,
  left: LeftBehind | null,
  deps: ActivityDeps,
): Promise<FoundKey[]> {
  const store = openStore(slot.store, deps);
  const current = { name: 'the key in use', key: deriveKey(form, await store.read(slot, 'current')) };
  if (!left) return [current];
  const label = left.arrangement.startsWith('new') ? 'previous' : 'pending';
  return [
    current,
    { name: `the ${label} key of run ${left.rotation}`, key: deriveKey(form, await store.read(slot, label)) },
  ];
}

/** Keys that the application accepts besides: in a second variable, or further on in a list. */
export async function keysBeside(
  { slot }: RotationPlan,
  { key: form }: PlannedEncryption,
  deps: ActivityDeps,
): Promise<FoundKey[]> {
  const place = slot.exposure.style === 'previous' ? slot.exposure.variable : `${slot.key}, behind the first`;
  const found: FoundKey[] = [];
  for (const value of await openStore(slot.store, deps).readOthers(slot)) {
    try {
      found.push({ name: `the key in ${place}`, key: deriveKey(form, value) });
    } catch (error) {
      // Not one that the application could use.
      if (!(error instanceof KeyturnError)) throw error;
    }
  }
  return found;
}

/** @returns `notes`: archives that could not be opened. @throws KeyturnError for one that people offer and that cannot be opened. */
export async function keysInBackups(
  plan: RotationPlan,
  encryption: PlannedEncryption,
  recovery: PlannedRecovery,
  deps: ActivityDeps,
  signal: AbortSignal,
): Promise<{ keys: FoundKey[]; notes: string[] }> {
  const keys: FoundKey[] = [];
  const notes: string[] = [];
  const open = async (file: string, offered: OfferedKeys): Promise<void> => {
    const { values } = await restore(await readArchive([file]), offered, signal);
    // An archive may be of a system that was named otherwise then.
    const own = values.filter((one) => one.ref === formatRef(plan.ref));
    for (const one of own.length > 0 ? own : values.filter(({ kind }) => kind === 'encryption')) {
      try {
        const key = deriveKey(encryption.key, one.value);
        if (!keys.some((known) => known.key.equals(key)))
          keys.push({ name: `the ${one.version} key in backup ${file}`, key });
      } catch (error) {
        if (!(error instanceof KeyturnError)) throw error;
        notes.push(`${one.ref} in ${file}: ${error.message}`);
      }
    }
    if (!values.some(({ kind, ref }) => kind === 'encryption' || ref === formatRef(plan.ref)))
      notes.push(`${file} holds no encryption key`);
  };
  const offered = await offeredKeys(recovery, deps);
  for (const file of recovery.offered) await open(offeredFile(file, recovery.folders), offered);
  for (const { file, keys: declared } of await declaredArchives(plan, encryption, deps, notes)) {
    try {
      await open(file, declared);
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      notes.push(`${file}: ${error.message}`);
    }
  }
  return { keys, notes };
}

async function offeredKeys(
  { identity, passphrase, folders }: PlannedRecovery,
  deps: ActivityDeps,
): Promise<OfferedKeys> {
  const resolve = credentialResolver(deps.variables);
  const open = async (ref: CredentialRef): Promise<SecretValue> =>
    await resolve('file' in ref ? { file: offeredFile(ref.file, folders) } : ref);
  return {
    ...(identity ? { identity: await open(identity) } : {}),
    ...(passphrase ? { passphrase: await open(passphrase) } : {}),
  };
}

/** Whatever state they are in: a stale or unproven one may still hold the key. */
async function declaredArchives(
  plan: RotationPlan,
  { backups }: PlannedEncryption,
  deps: ActivityDeps,
  notes: string[],
): Promise<{ file: string; keys: OfferedKeys }[]> {
  const { ref, operator, requestId } = plan;
  const resolve = credentialResolver(deps.variables);
  const found: { file: string; keys: OfferedKeys }[] = [];
  for (const backup of backups) {
    try {
      const request = { operator, note: null, requestId, at: new Date().toISOString(), variables: deps.variables };
      const { directory, encryption } = planBackup(await deps.loadInventory(), {
        ref: { system: ref.system, environment: ref.environment, backup },
        ...request,
      });
      const archives = await readBackups(directory, deps.seals);
      const holding = archives.filter((one) => one.manifest === null || names(one, formatRef(ref)).length > 0);
      if (holding.length === 0) continue;
      const keys = await keysFor(encryption, resolve);
      found.push(...holding.map(({ archive }) => ({ file: archive, keys })));
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      if (error.code !== 'not-found') notes.push(`backup ${backup}: ${error.message}`);
    }
  }
  return found;
}

async function keysFor(
  encryption: BackupPlan['encryption'],
  resolve: ReturnType<typeof credentialResolver>,
): Promise<OfferedKeys> {
  return encryption.format === 'age'
    ? { identity: await resolve(encryption.identity) }
    : { passphrase: await resolve(encryption.passphrase) };
}
