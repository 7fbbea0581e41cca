/** What activities are made of; wiring (src/worker.ts) fills it in. */
import type { Sealer } from '../backups/seal.js';
import type { Fingerprinter } from '../stores/fingerprint.js';
import type { Descriptions } from '../stores/secret-store.js';
import type { Inventory } from '../inventory/load.js';
import type { Ledger } from '../ledger/ledger.js';
import type { ServiceLocks } from '../domain/service-lock.js';
import type { Log, TellRun } from './as-activity.js';
import type { Holder } from './rotation-activities.js';

export interface Namespace {
  readonly name: string;
  /** No other namespace has it, in this cluster or another. */
  readonly id: string;
}

export interface ActivityDeps {
  /** Who answers, for people: `4711@host, which reads /srv/systems`. */
  readonly worker: string;
  /** Reads a file anew once it has changed: an edited inventory counts from the next run on. */
  readonly loadInventory: () => Promise<Inventory>;
  /** The worker's environment: settings and what Keyturn signs in with. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly fingerprint: Fingerprinter;
  /** Of the manifests beside backups, with the same key. */
  readonly seals: Sealer;
  /** Which key it is made with (same-key.ts); left out: plans do not say. */
  readonly fingerprintKey?: string;
  /** What the stores hold, kept between runs; default: each question reads them all. */
  readonly descriptions?: Descriptions;
  readonly ledger: Ledger;
  readonly findHolder: (workflowId: string) => Promise<Holder | null>;
  /** Where this worker's runs are. */
  readonly namespace: () => Promise<Namespace>;
  readonly serviceLocks: ServiceLocks;
  readonly log: Log;
  /** Left out where no run is told. */
  readonly tellRun?: TellRun;
}
