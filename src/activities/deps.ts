/** What activities are made of; wiring (src/worker.ts) fills it in. */
import type { Fingerprinter } from '../stores/fingerprint.js';
import type { Inventory } from '../inventory/load.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Log } from './as-activity.js';
import type { Holder } from './rotation-activities.js';

export interface ActivityDeps {
  /** Reads the files anew each time: an edited inventory counts from the next run on. */
  readonly loadInventory: () => Promise<Inventory>;
  /** The worker's environment: settings and what Keyturn signs in with. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly fingerprint: Fingerprinter;
  readonly ledger: Ledger;
  readonly findHolder: (workflowId: string) => Promise<Holder | null>;
  readonly log: Log;
}
