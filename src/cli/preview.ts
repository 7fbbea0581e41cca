/** The readiness questions, asked from here, touching nothing: for `keyturn plan`. */
import { randomBytes } from 'node:crypto';
import { previewRotation } from '../activities/preview.js';
import type { ReadinessLine } from '../activities/readiness.js';
import { KeyturnError } from '../domain/errors.js';
import type { RotationPlan } from '../domain/plan.js';
import type { Ledger } from '../ledger/ledger.js';
import { PostgresLedger } from '../ledger/postgres-ledger.js';
import { NO_LOCKS } from '../service-locks.js';
import { activityDeps } from '../worker.js';
import type { Settings } from './settings.js';

export async function preview(plan: RotationPlan, settings: Settings): Promise<ReadinessLine[]> {
  const ledger = settings.databaseUrl === null ? absentLedger() : new PostgresLedger(settings.databaseUrl);
  try {
    const deps = activityDeps(
      {
        inventory: settings.inventory(),
        variables: settings.variables,
        // Without the workers' key fingerprints differ from theirs, but still tell equal values from unequal ones.
        fingerprintKey: settings.variables['KEYTURN_FINGERPRINT_KEY'] ?? randomBytes(32).toString('hex'),
      },
      ledger,
      // Who runs is `keyturn status`'s to say; a plan asks the world, not Temporal.
      { findHolder: () => Promise.resolve(null), namespace: null, serviceLocks: NO_LOCKS, log: () => undefined },
    );
    return await previewRotation(plan, deps);
  } finally {
    await ledger.close();
  }
}

/** So that the answer is one line of the preview, like any other problem. */
function absentLedger(): Ledger {
  const absent = (): Promise<never> =>
    Promise.reject(
      new KeyturnError('ledger-unavailable', 'no address of a ledger is known', { hint: 'set KEYTURN_DATABASE_URL' }),
    );
  return {
    inspect: absent,
    append: absent,
    list: absent,
    pages: async function* () {
      await absent();
    },
    latest: absent,
    verify: absent,
    close: () => Promise.resolve(),
  };
}
