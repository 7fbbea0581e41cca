/** How the rows under an encryption key of an inventory get a new one, for one run. */
import { KeyturnError } from '../domain/errors.js';
import type { PlannedColumn, PlannedEncryption } from '../domain/plan.js';
import { formatRef, type SecretRef } from '../domain/refs.js';
import type { Exposure } from '../domain/slot.js';
import type { ValueFormat } from '../domain/specs/ciphertext.js';
import type { BothKeys, ProtectedColumn } from '../domain/specs/encryption.js';
import type { FoundSecret } from './find.js';
import type { MergedEncryption } from './merge.js';
import type { Resolver } from './resolver.js';

/** @throws KeyturnError `no-runbook` where the inventory does not say what the key protects; `bad-inventory`. */
export function planEncryption(
  { environment, secret }: FoundSecret,
  resolver: Resolver,
  ref: SecretRef,
): PlannedEncryption {
  const spec = secret.encryption && resolver.settings.fillAll(secret.encryption);
  const { database, columns, key } = spec ?? {};
  if (!spec || database === undefined || columns === undefined || key === undefined) {
    throw new KeyturnError('no-runbook', `${formatRef(ref)} does not say which columns the key protects`, {
      hint: `give it encryption: { database: …, key: …, columns: [{ table: …, column: … }] }; databases of ${environment.name}: ${[...environment.databases.keys()].join(', ') || 'none'}`,
    });
  }
  return {
    mode: spec.mode,
    server: resolver.server(database, spec.name ?? null),
    key,
    columns: columns.map((column) => plannedColumn(column, spec)),
    throttle: spec.throttle,
    parallel: spec.parallel,
    disposable: spec.disposable ?? [],
    search: spec.search,
    backups: [...environment.backups]
      .filter(([, { value }]) => [value.secrets].flat().includes(secret.name))
      .map(([name]) => name),
  };
}

/** A Fernet key protects Fernet tokens: nothing else needs to be said. Null: nothing says how the value is laid out. */
export function formatOf(column: ProtectedColumn, { format, key }: MergedEncryption): ValueFormat | null {
  return column.format ?? format ?? (key === 'fernet' ? { cipher: 'fernet' } : null);
}

function plannedColumn(column: ProtectedColumn, spec: MergedEncryption): PlannedColumn {
  const format = formatOf(column, spec);
  // The loader has refused it already.
  if (!format) throw new KeyturnError('bad-inventory', `${column.table}.${column.column} has no format`);
  const { table, path = null, where = null } = column;
  return { table, column: column.column, path, format, where };
}

/** As declared, also where this run is `atomic`: an earlier run may have left two keys to be tidied away. */
export function exposureOfKeys(both: BothKeys | undefined): Exposure {
  if (!both) return { style: 'single' };
  return both.style === 'list'
    ? { style: 'list', separator: both.separator }
    : { style: 'previous', variable: both.variable };
}
