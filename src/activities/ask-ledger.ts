/** Before a run begins: a row can be added at its end, and whoever takes over this worker could not change one. */
import type { ActivityDeps } from './deps.js';

/** @throws KeyturnError `ledger-misconfigured`, `ledger-newer`, `ledger-unavailable`. */
export async function askLedger({ ledger }: Pick<ActivityDeps, 'ledger'>): Promise<string | { warning: string }> {
  const excess = await ledger.inspect();
  return excess.length === 0 ? 'the ledger is reachable' : { warning: excess.join('; ') };
}
