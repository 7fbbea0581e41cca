/**
 * One environment as it holds after merging: what stands at the top of the file, then the environment's own, by name.
 * For a secret: its entry, then what the environment says about all secrets (policy, window), then about this one.
 */
import type { BackupSpec } from '../domain/specs/backup.js';
import type { CheckSpec, MonitorSpec } from '../domain/specs/check.js';
import type { DatabaseSpec } from '../domain/specs/database.js';
import { ENCRYPTION_DEFAULTS, search, throttle, type EncryptionSpec } from '../domain/specs/encryption.js';
import { approvalSpec, type ApprovalSpec, type GateName, type WindowSpec } from '../domain/specs/policy.js';
import type {
  OverlapSpec,
  PartSpec,
  ProofSpec,
  RevocationSpec,
  SecretOverride,
  SecretSpec,
} from '../domain/specs/secret.js';
import { SWAP_DEFAULTS, type SwapSpec } from '../domain/specs/swap.js';
import type { ServiceSpec } from '../domain/specs/service.js';
import type { StoreSpec } from '../domain/specs/store.js';
import type { Path } from './problems.js';
import type { Environment, Setting, System } from './schema.js';

/** Where the inventory names none (documents 000, 001, 004: `openssl rand -hex 32`). */
export const DEFAULT_GENERATOR = 'hex:32';
/** 43 characters of letters, digits, "-" and "_": nothing to escape in a URL, a shell or an env file. */
const DEFAULT_PASSWORD_GENERATOR = 'base64url:32';

export function generatorOf({ kind, generator }: Pick<SecretSpec, 'kind' | 'generator'>): string {
  return generator ?? (kind === 'database' ? DEFAULT_PASSWORD_GENERATOR : DEFAULT_GENERATOR);
}

/** A thing and where in the file it stands. */
export interface Placed<T> {
  readonly value: T;
  readonly path: Path;
}

export type Named<T> = ReadonlyMap<string, Placed<T>>;

export interface MergedEnvironment {
  readonly name: string;
  readonly path: Path;
  readonly tier: Environment['tier'];
  /** null: that of the worker that makes the plan. */
  readonly taskQueue: string | null;
  readonly settings: Named<Setting>;
  readonly stores: Named<StoreSpec>;
  readonly databases: Named<DatabaseSpec>;
  readonly services: Named<ServiceSpec>;
  readonly checks: Named<CheckSpec>;
  readonly monitors: Named<MonitorSpec>;
  readonly backups: Named<BackupSpec>;
  readonly secrets: ReadonlyMap<string, MergedSecret>;
}

type Cleared =
  | 'part'
  | 'cadence'
  | 'latest'
  | 'overlap'
  | 'revokeSessions'
  | 'proof'
  | 'swap'
  | 'encryption'
  | 'maintenanceWindow'
  | 'approval';

export type MergedSwap = SwapSpec & { [K in keyof typeof SWAP_DEFAULTS]: NonNullable<SwapSpec[K]> };

type EncryptionDefault = keyof typeof ENCRYPTION_DEFAULTS | 'throttle' | 'search';
export type MergedEncryption = EncryptionSpec & { [K in EncryptionDefault]: NonNullable<EncryptionSpec[K]> };

/** A secret in one environment. What was taken back with `none` is null. */
export interface MergedSecret extends Omit<SecretSpec, Cleared | 'key'> {
  readonly name: string;
  readonly key: string;
  readonly part: PartSpec | null;
  readonly cadence: string | null;
  readonly latest: string | null;
  readonly overlap: OverlapSpec | null;
  readonly revokeSessions: RevocationSpec | null;
  readonly proof: ProofSpec | null;
  /** Kind database only; the environment's fields win, one by one. */
  readonly swap: MergedSwap | null;
  /** Kind encryption only; likewise. */
  readonly encryption: MergedEncryption | null;
  readonly maintenanceWindow: WindowSpec | null;
  readonly approval: ApprovalSpec;
  /** Where the entry that decides `field` stands. */
  readonly placeOf: (field: string) => Path;
}

export function mergeEnvironment(system: System, index: number): MergedEnvironment {
  const environment = system.environments[index];
  if (!environment) throw new RangeError(`no environment ${index}`);
  const path: Path = ['environments', index];
  const merged = <K extends keyof Environment & keyof System>(key: K): Named<Entry<System[K]>> =>
    new Map([
      ...placed(system[key] as Record<string, Entry<System[K]>> | undefined, [key]),
      ...placed(environment[key] as Record<string, Entry<System[K]>> | undefined, [...path, key]),
    ]);
  const secrets = Object.entries(system.secrets).flatMap(([name, spec]): [string, MergedSecret][] => {
    const override = own(environment.secrets, name);
    return override === false
      ? []
      : [[name, mergeSecret(system, environment, path, { name, spec, override: override ?? {} })]];
  });
  const services = merged('services');
  return {
    name: environment.name,
    path,
    tier: environment.tier,
    taskQueue: environment.taskQueue ?? null,
    settings: merged('settings'),
    stores: withReaders(merged('stores'), services, new Map(secrets)),
    databases: merged('databases'),
    services,
    checks: merged('checks'),
    monitors: merged('monitors'),
    backups: mergeBackups(system, environment, path),
    secrets: new Map(secrets),
  };
}

/** A file whose services are all deployed by Compose is read by Compose; of any other nobody knows who reads it. */
function withReaders(
  stores: Named<StoreSpec>,
  services: Named<ServiceSpec>,
  secrets: ReadonlyMap<string, MergedSecret>,
): Named<StoreSpec> {
  return new Map(
    [...stores].map(([name, { value, path }]): [string, Placed<StoreSpec>] => {
      if (value.type !== 'dotenv' || value.readers) return [name, { value, path }];
      const consumers = [...secrets.values()]
        .filter(({ store }) => store === name)
        .flatMap((secret) => secret.services);
      const byCompose = (service: string): boolean => services.get(service)?.value.deploy.type === 'compose';
      const known = consumers.length > 0 && consumers.every(byCompose);
      return [name, { value: known ? { ...value, readers: ['compose'] } : value, path }];
    }),
  );
}

function mergeBackups(system: System, environment: Environment, path: Path): Named<BackupSpec> {
  const all = new Map([
    ...placed<BackupSpec | false>(system.backups, ['backups']),
    ...placed<BackupSpec | false>(environment.backups, [...path, 'backups']),
  ]);
  return new Map([...all].flatMap(([name, { value, path }]) => (value === false ? [] : [[name, { value, path }]])));
}

const merged = new WeakMap<System, MergedEnvironment[]>();

/** Once a system as it was read: every run asks. */
export function mergeEnvironments(system: System): readonly MergedEnvironment[] {
  const known = merged.get(system) ?? system.environments.map((_, index) => mergeEnvironment(system, index));
  merged.set(system, known);
  return known;
}

type Entry<T> = NonNullable<T> extends Record<string, infer V> ? V : never;

interface SecretEntry {
  readonly name: string;
  readonly spec: SecretSpec;
  readonly override: SecretOverride;
}

function mergeSecret(system: System, environment: Environment, path: Path, entry: SecretEntry): MergedSecret {
  const { name, spec, override } = entry;
  // The environment's policy wins over the secret's own: "production: strict" must hold for every secret in it, and a
  // developer's machine must not wait for approvers. What it says about this very secret wins over both.
  const window =
    override.maintenanceWindow ?? environment.maintenanceWindow ?? spec.maintenanceWindow ?? system.maintenanceWindow;
  const approval = override.approval ?? environment.approval ?? spec.approval ?? system.approval;
  const notes = override.notes ?? spec.notes;
  const generator = override.generator ?? spec.generator;
  return {
    ...spec,
    store: override.store ?? spec.store,
    minimumLength: override.minimumLength ?? spec.minimumLength,
    services: override.services ?? spec.services,
    verify: override.verify ?? spec.verify ?? [],
    monitors: override.monitors ?? spec.monitors ?? [],
    watch: override.watch ?? spec.watch,
    ...(notes !== undefined && { notes }),
    ...(generator !== undefined && { generator }),
    name,
    key: override.key ?? spec.key ?? name,
    part: given(override.part ?? spec.part),
    cadence: given(override.cadence ?? spec.cadence),
    latest: given(override.latest ?? spec.latest),
    overlap: given(override.overlap ?? spec.overlap),
    leaver: override.leaver ?? spec.leaver,
    revokeSessions: given(override.revokeSessions ?? spec.revokeSessions),
    proof: given(override.proof ?? spec.proof),
    swap: mergeSwap(spec.swap, override.swap),
    encryption: mergeEncryption(spec.encryption, override.encryption),
    maintenanceWindow: given(window),
    approval: {
      ...approvalSpec.parse({}),
      ...approval,
      gates: approval?.gates ?? gatesByDefault(spec.kind, system, environment),
    },
    placeOf: (field) => {
      if (own(override, field) !== undefined) return [...path, 'secrets', name, field];
      const policy = field === 'approval' || field === 'maintenanceWindow';
      if (policy && own(environment, field) !== undefined) return [...path, field];
      if (policy && own(spec, field) === undefined && own(system, field) !== undefined) return [field];
      return ['secrets', name, field];
    },
  };
}

function mergeSwap(spec: SwapSpec | undefined, override: SwapSpec | undefined): MergedSwap | null {
  if (!spec && !override) return null;
  const said: SwapSpec = { ...spec, ...override };
  const { credential, delay, watchEvery, observe } = SWAP_DEFAULTS;
  return {
    ...said,
    credential: said.credential ?? credential,
    delay: said.delay ?? delay,
    watchEvery: said.watchEvery ?? watchEvery,
    observe: said.observe ?? observe,
  };
}

function mergeEncryption(
  spec: EncryptionSpec | undefined,
  override: EncryptionSpec | undefined,
): MergedEncryption | null {
  if (!spec && !override) return null;
  const said: EncryptionSpec = { ...spec, ...override };
  return {
    ...said,
    mode: said.mode ?? ENCRYPTION_DEFAULTS.mode,
    parallel: said.parallel ?? ENCRYPTION_DEFAULTS.parallel,
    throttle: said.throttle ?? throttle.parse({}),
    search: said.search ?? search.parse({}),
  };
}

/**
 * An old database role is gone for good, with what others may have hung on it, and the next environment is touched only after the
 * one before it; an old encryption key is gone with every value that only it reads: all need a decision where an inventory does not
 * say otherwise. On a developer's machine nobody is there to decide.
 */
function gatesByDefault(kind: SecretSpec['kind'], system: System, environment: Environment): GateName[] {
  if (environment.tier === 'development') return [];
  if (kind === 'encryption') return ['retire'];
  if (kind !== 'database') return [];
  const first = system.environments.find(({ tier }) => tier !== 'development') === environment;
  return first ? ['drop'] : ['wave', 'drop'];
}

function given<T>(value: T | 'none' | undefined): T | null {
  return value === undefined || value === 'none' ? null : value;
}

function placed<T>(entries: Record<string, T> | undefined, path: Path): [string, Placed<T>][] {
  return Object.entries(entries ?? {}).map(([name, value]) => [name, { value, path: [...path, name] }]);
}

/** Own entries only: `constructor` is a possible name, and must not find Object's. */
function own<T extends object, K extends keyof T & string>(record: T | undefined, key: K | string): T[K] | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key as K] : undefined;
}
