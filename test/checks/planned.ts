import { checkSpec, monitorSpec, type PlannedCheck, type PlannedMonitor } from '../../src/domain/specs/check.js';
import type { CredentialRef } from '../../src/domain/specs/common.js';

/** A check as the inventory's loader would plan it: defaults filled in. For `sql` the database is a reference. */
export function planned<T extends PlannedCheck['type']>(
  type: T,
  spec: Record<string, unknown> & { database?: CredentialRef },
): Extract<PlannedCheck, { type: T }> {
  const { database, ...rest } = spec;
  const parsed = checkSpec.parse({ type, ...rest, ...(database ? { database: 'app' } : {}) });
  return { name: `a-${type}`, ...parsed, ...(database ? { database } : {}) } as Extract<PlannedCheck, { type: T }>;
}

export function plannedMonitor(name: string, spec: Record<string, unknown>, more: object = {}): PlannedMonitor {
  return { name, ...monitorSpec.parse(spec), ...more } as PlannedMonitor;
}
