/**
 * What a rotation does to the world, as the workflow sees it: types only, so that no adapter reaches the workflow sandbox.
 * Arguments carry references; every activity is idempotent for one `rotation` (the run's request id).
 */
import type { Evidence } from '../domain/evidence.js';
import type { JoseHeader } from '../domain/jose-header.js';
import type { RotateInput } from '../domain/messages.js';
import type { PlannedProof, PlannedRevocation, PlannedService, RotationPlan } from '../domain/plan.js';
import type { ReadinessLine } from '../domain/preview.js';
import type { ProofEvidence } from '../domain/proof.js';
import type { Reason } from '../domain/reason.js';
import type { SecretRef } from '../domain/refs.js';
import type { RotationReport } from '../domain/report.js';
import type { Arrangement, SecretSlot } from '../domain/slot.js';
import type { PlannedCheck, PlannedMonitor } from '../domain/specs/check.js';
import type { WindowSpec } from '../domain/specs/policy.js';

/** One run's hold on one secret. */
export interface Hold {
  readonly slot: SecretSlot;
  readonly rotation: string;
  /** The plan's. */
  readonly fingerprintKey?: string;
}

/** What a value is made from, and what stands beside it. */
export interface Staging {
  readonly ref: SecretRef;
  readonly generator: string;
  readonly minimumLength: number;
  readonly reason: Reason;
}

/** Versions that an earlier, dead run left in the store. */
export interface LeftBehind {
  readonly rotation: string;
  readonly arrangement: Arrangement;
  /** The furthest that it had come to, whatever is shown now. */
  readonly reached: Arrangement;
  /** It ran because others have, or may have, its old value. */
  readonly exposed: boolean;
  /** Of a database credential: how far its old role is gone. */
  readonly oldRole?: 'usable' | 'shut out' | 'gone';
  /** Of a database credential: the role that it has made, or was about to make. */
  readonly newRole?: string;
}

export interface Readiness extends Evidence {
  readonly leftBehind: LeftBehind | null;
  /** Of a token that the application issued before anything was changed; null: it issues none, or it was not asked for one. */
  readonly tokenHeader: JoseHeader | null;
  /** What the plan's services are on their host, each once, in one order: what is locked. */
  readonly things: readonly string[];
  /** The run that stops or deploys one of them meanwhile: what the services were asked says nothing then. null: none does. */
  readonly deployedBy: string | null;
}

/** The same questions for people, who want all answers. */
export interface ReadinessAnswers extends Evidence {
  /** Who answers. */
  readonly worker: string;
  readonly lines: readonly ReadinessLine[];
}

export interface WantedServices {
  readonly things: readonly string[];
  /** Who wants them. */
  readonly workflowId: string;
  readonly turn: string;
}

export interface AwaitServices extends WantedServices {
  /** HeldService.key of the holder that is shown already; null: nobody is. */
  readonly known: string | null;
  /** Whether another holder than that is news. */
  readonly tell: boolean;
}

export interface HeldService {
  readonly thing: string;
  /** Of its holder. */
  readonly ref: string;
  readonly workflowId: string;
  readonly since: string;
  readonly key: string;
}

export interface Holder {
  readonly workflowId: string;
  readonly runId: string;
  readonly phase: string | null;
  readonly startedAt: string;
}

export interface RecordedReport extends RotationReport {
  readonly kind: string;
  readonly reason: string;
  readonly cadence: string | null;
  readonly notes: string;
  /** The request id when the other one is on record with other content: an earlier end of the same run. */
  readonly orElse?: string;
}

export interface RotationActivities {
  /** The secrets a request means, in rollout order. @throws `unknown-secret`, `bad-inventory`. */
  expandRequest(request: RotateInput): Promise<SecretRef[]>;
  /** @throws `unknown-secret`, `bad-inventory`, `setting-missing`, `no-runbook`. */
  resolvePlan(request: RotateInput & { environment: string; requestId: string }): Promise<RotationPlan>;
  /** Asks everything and reports all problems at once; changes nothing. @throws `not-ready`. */
  checkReadiness(plan: RotationPlan): Promise<Readiness>;

  /** The same, for `keyturn plan`. @param look.flows also what leaves a trace: signing in. */
  askReadiness(plan: RotationPlan, look: { flows: boolean }): Promise<ReadinessAnswers>;

  stageSecret(hold: Hold & Staging): Promise<Evidence>;
  arrangeSecret(hold: Hold & { arrangement: Arrangement }): Promise<Evidence>;
  discardSecret(hold: Hold): Promise<Evidence>;
  forgetPrevious(hold: Hold): Promise<Evidence>;

  /** Deploys, then asks its health checks. An unhealthy service's error carries its state and last log lines, redacted. */
  /** @param changed see activities/services.ts. */
  deployService(service: PlannedService, changed: readonly string[]): Promise<Evidence>;

  /** Who waits for one of them and comes before; null: nobody does. */
  findAhead(wanted: WantedServices): Promise<{ ahead: string | null }>;
  /** Ends when there is news: another holder than was known, or null, when all are free and it is this run's turn. */
  awaitServices(wanted: AwaitServices): Promise<{ heldBy: HeldService | null }>;

  revokeSessions(revocation: PlannedRevocation): Promise<Evidence>;
  runChecks(checks: readonly PlannedCheck[]): Promise<Evidence>;
  /** A duration, not a deadline, so that a worker's wrong clock cannot shorten it. Resumes with the same baseline on another worker. */
  watchMonitors(watch: {
    monitors: readonly PlannedMonitor[];
    milliseconds: number;
    /** Deploys of these by other runs are not watched: it pauses, and goes on with a new baseline. */
    things: readonly string[];
  }): Promise<Evidence>;
  /** The proof with the value in use; what it saw of a token goes to `proveOldRefused`. @throws `proof-inconclusive`. */
  rehearseProof(hold: Hold & { proof: PlannedProof }): Promise<Evidence & Pick<Readiness, 'tokenHeader'>>;
  /** While both values are accepted. @throws `signs-with-old`. */
  seeWhoSigns(hold: Hold & { proof: PlannedProof }): Promise<Evidence>;
  proveOldRefused(hold: Hold & { proof: PlannedProof; oldHeader: Readiness['tokenHeader'] }): Promise<ProofEvidence>;

  /** How long until the window is open (0: it is) at `at` (workflow time), and when it closes (ISO 8601). */
  findWindow(
    window: WindowSpec & { readonly at?: string },
  ): Promise<{ waitMilliseconds: number; opensAt: string; closesAt: string }>;
  remindApprovers(reminder: { ref: string; gate: string; who: string; expiresAt: string; sent: number }): Promise<void>;
  /** The run that holds this id, or null when none runs. */
  findHolder(workflowId: string): Promise<Holder | null>;

  /** Idempotent by request id. */
  recordRotation(report: RecordedReport): Promise<{ sequence: number; nextDueAt: string | null }>;
}
