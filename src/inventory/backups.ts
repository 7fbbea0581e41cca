/** The backups of an inventory: which ones a name means, and the plan of one. Pure but for symlinks. */
import { dirname, resolve } from 'node:path';
import {
  formatBackup,
  VERSIONS_BY_DEFAULT,
  type BackupPlan,
  type BackupRef,
  type BackupSelector,
} from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import { DEFAULT_TASK_QUEUE } from '../domain/messages.js';
import type { SecretRef } from '../domain/refs.js';
import type { VersionLabel } from '../domain/slot.js';
import type { BackupSpec } from '../domain/specs/backup.js';
import type { CredentialRef } from '../domain/specs/common.js';
import type { SecretKind } from '../domain/specs/secret.js';
import { realPlace } from './crosscheck/places.js';
import { besideAnother, isWithin, ownDirectoryOf, type Destination } from './destinations.js';
import { findSecret } from './find.js';
import type { Inventory, InventorySystem } from './inventory.js';
import { mergeEnvironments, type MergedEnvironment } from './merge.js';
import { fillRecipients } from './recipients.js';
import { commandIn, SettingValues, type Variables } from './settings.js';
import { slotOf, slotsOf } from './slots.js';
import { suggest } from './suggest.js';

export interface BackupRequest {
  readonly ref: BackupRef;
  readonly operator: string;
  readonly note: string | null;
  readonly requestId: string;
  /** ISO 8601. */
  readonly at: string;
  /** The worker's environment, for settings. */
  readonly variables: Variables;
  /** Default: VERSIONS_BY_DEFAULT. */
  readonly versions?: readonly VersionLabel[];
}

interface FoundBackup {
  readonly system: InventorySystem;
  readonly environment: MergedEnvironment;
  readonly name: string;
  readonly spec: BackupSpec;
}

export function namesIn({ secrets }: Pick<BackupSpec, 'secrets'>): string[] {
  return typeof secrets === 'string' ? [secrets] : secrets;
}

/** In the order of the file and of the rollout. @throws KeyturnError `unknown-backup` with the nearest name, also when there is none. */
export function expandBackups(inventory: Inventory, selector: BackupSelector): BackupRef[] {
  const refs = find(inventory, selector).map(refOf);
  if (refs.length > 0) return refs;
  throw unknown(
    `the inventory describes no backup of ${formatBackup(selector)}`,
    'describe one under backups: (docs/runbooks/back-up-secrets.md)',
  );
}

/** Every one that it describes. */
export function allBackups(inventory: Inventory): BackupRef[] {
  return inventory.systems.flatMap(({ spec }) => find(inventory, { system: spec.system }).map(refOf));
}

/** @throws KeyturnError `unknown-backup`, `setting-missing`, `setting-secret` (see SettingValues), and what fillRecipients throws. */
export function planBackup(inventory: Inventory, request: BackupRequest): BackupPlan {
  const [found] = find(inventory, request.ref);
  if (!found) throw unknown(`no backup ${formatBackup(request.ref)}`, 'see keyturn backup list');
  const { system, environment, spec } = found;
  const settings = new SettingValues(environment.settings, request.variables);
  const path = (stored: string): string => resolve(dirname(system.file), stored);
  const credential = (ref: CredentialRef): CredentialRef =>
    'file' in ref ? { file: path(settings.fill(ref.file)) } : ref;
  const { operator, note, requestId, at, versions = VERSIONS_BY_DEFAULT, variables } = request;
  return {
    ref: refOf(found),
    operator,
    note,
    requestId,
    at,
    taskQueue:
      environment.taskQueue === null
        ? variables['KEYTURN_TASK_QUEUE'] || DEFAULT_TASK_QUEUE
        : settings.fill(environment.taskQueue),
    inventoryFile: system.file,
    command: commandIn(request.variables),
    directory: path(settings.fill(spec.to.directory)),
    secrets: secretsOf(found).map((secret) => ({
      ref: { system: system.spec.system, environment: environment.name, secret: secret.name },
      kind: secret.kind,
      critical: secret.critical ?? false,
      slot: slotOf({ system, environment, secret }, settings),
    })),
    encryption:
      spec.format === 'age'
        ? {
            format: 'age',
            recipients: fillRecipients(spec.recipients, settings),
            identity: credential(spec.proof.identity),
          }
        : { format: 'gpg', passphrase: credential(spec.passphrase) },
    maxAge: spec.maxAge,
    qr: spec.qr ?? null,
    versions,
  };
}

export interface BackupsOfSecret {
  readonly critical: boolean;
  readonly kind: SecretKind;
  readonly places: readonly { readonly backup: string; readonly directory: string; readonly maxAge: string }[];
}

/** Where a proven backup of this secret may lie. @throws KeyturnError `unknown-secret`, `setting-missing`, `setting-secret`. */
export function backupsOf(inventory: Inventory, ref: SecretRef, variables: Variables): BackupsOfSecret {
  const { system, environment, secret } = findSecret(inventory, ref);
  const settings = new SettingValues(environment.settings, variables);
  const places = [...environment.backups]
    .filter(([, { value }]) => namesIn(value).includes(secret.name))
    .map(([name, { value }]) => ({
      backup: `${system.spec.system}/${environment.name}/${name}`,
      directory: resolve(dirname(system.file), settings.fill(value.to.directory)),
      maxAge: value.maxAge,
    }));
  return { critical: secret.critical ?? false, kind: secret.kind, places };
}

/**
 * What the loader could not see without the settings of a worker: critical secrets of other backups in the same place, and stores in
 * whose directory it lies. What depends on settings that this worker lacks is on another host.
 */
export function conflictsOf(inventory: Inventory, plan: BackupPlan, variables: Variables): string[] {
  const own = destinationOf(plan);
  const beside = allBackups(inventory).flatMap((ref) => {
    if (formatBackup(ref) === own.backup) return [];
    const other = tolerant(() => destinationOf(planBackup(inventory, { ...plan, ref, variables })));
    const secret = other && besideAnother(own, other);
    return secret
      ? [`${own.critical.join(', ')} would lie beside ${secret}, which is critical too (${other.backup})`]
      : [];
  });
  const store = slotsOf(inventory, variables).find(({ slot }) =>
    isWithin(own.directory, realPlace(ownDirectoryOf(slot.store))),
  );
  const inside = store
    ? [`it would lie in the directory of the store of ${store.ref.system}/${store.ref.environment}`]
    : [];
  return [...beside, ...inside];
}

function destinationOf({ ref, secrets, directory }: BackupPlan): Destination {
  return {
    backup: formatBackup(ref),
    critical: secrets
      .filter(({ critical }) => critical)
      .map(({ ref: one }) => `${one.system}/${one.environment}/${one.secret}`),
    directory: realPlace(directory),
  };
}

function tolerant<T>(make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'setting-missing') return null;
    throw error;
  }
}

function find(inventory: Inventory, selector: BackupSelector): FoundBackup[] {
  const system = inventory.systems.find(({ spec }) => spec.system === selector.system);
  if (!system) {
    const names = inventory.systems.map(({ spec }) => spec.system);
    throw unknown(`no system "${selector.system}"`, suggest(selector.system, names, 'there are'));
  }
  const all = mergeEnvironments(system.spec);
  const meant = all.filter(({ name }) => selector.environment === undefined || name === selector.environment);
  if (selector.environment !== undefined && meant.length === 0) {
    const names = all.map(({ name }) => name);
    const message = `the system "${system.spec.system}" has no environment "${selector.environment}"`;
    throw unknown(message, suggest(selector.environment, names, 'it has'));
  }
  const backups = meant.flatMap((environment) =>
    [...environment.backups]
      .map(([name, { value }]) => ({ system, environment, name, spec: value }))
      .filter((found) => secretsOf(found).length > 0),
  );
  const found = backups.filter(({ name }) => selector.backup === undefined || name === selector.backup);
  if (found.length > 0 || selector.backup === undefined) return found;
  const names = new Set(backups.map(({ name }) => name));
  const where = formatBackup({ system: selector.system, environment: selector.environment });
  throw unknown(`${where} has no backup "${selector.backup}"`, suggest(selector.backup, names, 'it has'));
}

/** One that does not exist in this environment is left out: `false` takes it out of what holds for all environments. */
function secretsOf({ environment, spec }: FoundBackup): NonNullable<ReturnType<typeof environment.secrets.get>>[] {
  return namesIn(spec).flatMap((name) => environment.secrets.get(name) ?? []);
}

function refOf({ system, environment, name }: FoundBackup): BackupRef {
  return { system: system.spec.system, environment: environment.name, backup: name };
}

function unknown(message: string, hint: string): KeyturnError {
  return new KeyturnError('unknown-backup', message, { hint });
}
