/**
 * The plan of one rotation: the inventory resolved for this run. Made once, by the run's first activity, and pinned in
 * history, so an inventory edited during a 24 h wait does not change a running rotation. Holds references, never values.
 */
import type { PlannedCheck, PlannedMonitor, HttpRequest, HttpFlowSpec } from './specs/check.js';
import type { CredentialRef } from './specs/common.js';
import type { DatabaseRef } from './specs/database.js';
import type { KeyForm, ValueFormat } from './specs/ciphertext.js';
import type {
  DisposablePlace,
  EncryptionMode,
  RowFilter,
  SearchSpec,
  Throttle,
  UnreadableRows,
} from './specs/encryption.js';
import type { ApprovalSpec, WindowSpec } from './specs/policy.js';
import type { OverlapSpec, ProofSpec, SecretKind } from './specs/secret.js';
import type { DeploySpec } from './specs/service.js';
import type { CredentialShape, Strategy } from './specs/swap.js';
import type { Reason } from './reason.js';
import type { SecretRef } from './refs.js';
import type { SecretSlot } from './slot.js';

export interface PlannedService {
  readonly name: string;
  readonly deploy: DeploySpec;
  readonly health: readonly PlannedCheck[];
  /** Absolute: whatever stands in these files and directories must not be shown, whoever deploys. */
  readonly secretFiles?: readonly string[];
}

export interface PlannedRevocation {
  readonly database: DatabaseRef;
  readonly count: string;
  readonly revoke: string;
}

/** A proof with its login flow filled in (a `value` proof needs none). */
export type PlannedProof =
  | (Extract<ProofSpec, { type: 'signed-cookie' | 'jwt' }> & {
      readonly flow: { readonly name: string } & HttpFlowSpec;
    })
  | (Extract<ProofSpec, { type: 'value' }> & { readonly request: HttpRequest });

export interface PlannedNode {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** A PostgreSQL server with its replicas. The administrator's URL leads to the primary. */
export interface PlannedServer {
  readonly administrator: DatabaseRef;
  /** The application's database; null: the one in the administrator's URL. */
  readonly database: string | null;
  readonly replicas: readonly PlannedNode[];
}

/** How a database credential is replaced. */
export interface PlannedSwap {
  readonly strategy: Strategy;
  readonly server: PlannedServer;
  readonly shape: CredentialShape;
  /** Name of this run's role; null under `same-role`. */
  readonly newRole: string | null;
  /** Strategy `group`: the role that holds the rights; null: the role in use becomes it. */
  readonly group: string | null;
  /** Zero after a leak. */
  readonly delay: string;
  readonly watchEvery: string;
  readonly observe: string;
  readonly probe: string | null;
}

/** A column that an encryption key protects. */
export interface PlannedColumn {
  /** `schema.table`, or a table of the search path. */
  readonly table: string;
  readonly column: string;
  /** Keys into a jsonb document; null: the value is the whole column. */
  readonly path: readonly string[] | null;
  readonly format: ValueFormat;
  /** Which rows have an encrypted value there; null: all. */
  readonly where: RowFilter | null;
}

/** How the rows get from one encryption key to the next. */
export interface PlannedEncryption {
  readonly mode: EncryptionMode;
  readonly server: PlannedServer;
  /** How the application gets its key from the stored text. */
  readonly key: KeyForm;
  readonly columns: readonly PlannedColumn[];
  readonly throttle: Throttle;
  /** Activities that share a table by ranges of its key; 1: one. */
  readonly parallel: number;
  /** Names of this environment's backups that hold the key: the new one is in them before a row is under it. */
  readonly backups: readonly string[];
  /** Places whose copies need not be read again; what is found there is counted, and keeps no key. */
  readonly disposable: readonly DisposablePlace[];
  readonly search: SearchSpec;
}

/** How a lost key is recovered from: keyturn recover. */
export interface PlannedRecovery {
  readonly unreadable: UnreadableRows;
  /** Columns that tell people which row it is. */
  readonly label: readonly string[];
  /** Asked once each at the end: their requests and commands switch features on again. */
  readonly enable: readonly PlannedCheck[];
  readonly watchEvery: string;
  /** Archives that people offer, files of the worker, and what opens them. */
  readonly offered: readonly string[];
  /** Where they must lie; absolute. */
  readonly folders: readonly string[];
  readonly identity: CredentialRef | null;
  readonly passphrase: CredentialRef | null;
}

export interface RotationPlan {
  readonly ref: SecretRef;
  readonly kind: SecretKind;
  /** For the ledger: `replace` or `overlap (list)`, `overlap (previous variable)`. */
  readonly method: string;
  readonly operator: string;
  readonly reason: Reason;
  /** What the requester wants on the record; null: nothing. */
  readonly note: string | null;
  /** The run id: ledger's request id, and the owner of what the run stages. */
  readonly requestId: string;
  readonly taskQueue: string;
  readonly inventoryFile: string;
  /** How people call Keyturn, for the checklist: `keyturn`, `npm run -s keyturn --`. */
  readonly command: string;
  /** Which key the fingerprints of this run are made with; a worker with another one refuses. Not part of the digest. */
  readonly fingerprintKey?: string;
  readonly slot: SecretSlot;
  readonly generator: string;
  readonly minimumLength: number;
  readonly cadence: string | null;
  readonly overlap: OverlapSpec | null;
  readonly services: readonly PlannedService[];
  readonly verify: readonly PlannedCheck[];
  readonly monitors: readonly PlannedMonitor[];
  readonly watch: string;
  readonly revocation: PlannedRevocation | null;
  readonly proof: PlannedProof | null;
  /** Kind database only. */
  readonly swap: PlannedSwap | null;
  /** Kind encryption only. */
  readonly encryption: PlannedEncryption | null;
  /** Only of `recoverLostKey`. */
  readonly recovery?: PlannedRecovery;
  readonly window: WindowSpec | null;
  readonly approval: ApprovalSpec;
  /** What the resolver decided and why, for people: `reason is a leak: no overlap`. */
  readonly decisions: readonly string[];
  /** First 12 hex digits of the SHA-256 of the plan; a decision can be bound to it. */
  readonly digest: string;
}
