/** The append-only, hash-chained record of rotations: who, what, by which method, when, with which evidence, due when next. */
import type { StepRecord } from '../domain/report.js';
import type { Outcome } from '../domain/report.js';

export interface LedgerEntry {
  /** The run's id; one row a request id, so that a repeated append returns the first row. */
  readonly requestId: string;
  readonly system: string;
  readonly environment: string;
  readonly secret: string;
  readonly kind: string;
  readonly operator: string;
  readonly method: string;
  readonly reason: string;
  readonly outcome: Outcome;
  /** `proven: WHAT WAS SEEN` or `not proven: WHY` of the old value's death; null where there is none to prove. */
  readonly proof: string | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  /** null when the secret has no cadence or the rotation did not complete. */
  readonly nextDueAt: string | null;
  readonly notes: string;
  readonly evidence: readonly StepRecord[];
}

export interface LedgerRow extends LedgerEntry {
  readonly sequence: number;
  readonly recordedAt: string;
  /** Hex SHA-256. `hash` covers every field of the row and `previousHash`. */
  readonly previousHash: string;
  readonly hash: string;
}

export interface LedgerFilter {
  readonly system?: string;
  readonly environment?: string;
  readonly secret?: string;
  /** The newest so many, still printed oldest first. */
  readonly limit?: number;
}

export type Verification =
  /** `rowsSinceHead`: how many rows follow `expectHead`; null when none was given. */
  | {
      readonly intact: true;
      readonly rows: number;
      readonly head: string | null;
      readonly rowsSinceHead: number | null;
    }
  /** `sequence`: the first row that is altered, missing or out of place; the `rows` before it are as they were written. */
  | {
      readonly intact: false;
      readonly rows: number;
      readonly sequence: number;
      readonly reason: string;
      /** Every row fits, and `expectHead` is none of them. */
      readonly headMissing: boolean;
    };

export interface VerifyOptions {
  /** Hash of the newest row when somebody last looked; it must still be in the chain, though rows may follow it by now. */
  readonly expectHead?: string;
  /** Told now and then how many rows fit so far. */
  readonly onProgress?: (rows: number) => void;
}

export interface Ledger {
  /**
   * @returns what the role may do beyond adding rows and reading them, each with the statement that ends it.
   * @throws KeyturnError `ledger-misconfigured` where tables or rights are missing, `ledger-newer`, `ledger-unavailable` (retryable).
   */
  inspect(): Promise<readonly string[]>;
  /**
   * Idempotent by request id. Serialised, so the chain has no forks.
   * @throws KeyturnError `ledger-conflict` when this request id is on record with other content.
   */
  append(entry: LedgerEntry): Promise<LedgerRow>;
  /** All at once: for a few rows. */
  list(filter?: LedgerFilter): Promise<LedgerRow[]>;
  /** The same in pages, oldest first, in one snapshot: memory does not grow with the ledger. */
  pages(filter?: LedgerFilter): AsyncIterable<readonly LedgerRow[]>;
  /** For each secret ever rotated: the newest completed row. Rows of kind `backup` are none of these: a backup changes no due date. */
  latest(): Promise<LedgerRow[]>;
  /**
   * Walks the chain and names the first row that does not fit. Rows cut off at the end leave a chain that fits; only a head
   * noted earlier, elsewhere, shows that: give it as `expectHead`.
   */
  verify(options?: VerifyOptions): Promise<Verification>;
  close(): Promise<void>;
}
