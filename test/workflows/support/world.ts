/**
 * A world small enough to be compared whole: one secret's versions, what the services run, and a ledger. Stands in for the
 * activities in tests of the workflow's own logic (order, undo, gates); the end-to-end tests use the real ones.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { LeftBehind, RotationActivities } from '../../../src/activities/rotation-activities.js';
import { findWindow } from '../../../src/activities/window.js';
import type { JoseHeader } from '../../../src/domain/jose-header.js';
import type { RotationPlan } from '../../../src/domain/plan.js';
import { proven, type Proof } from '../../../src/domain/proof.js';
import type { StepRecord } from '../../../src/domain/report.js';
import type { Arrangement } from '../../../src/domain/slot.js';

export interface WorldState {
  old: string;
  pending: string | null;
  previous: string | null;
  arrangement: Arrangement;
  /** What each service was last deployed with. */
  running: Record<string, Arrangement>;
  sessions: number;
  ledger: {
    requestId: string;
    outcome: string;
    proof: Proof | null;
    notes: string;
    evidence: readonly StepRecord[];
  }[];
  reminders: number;
}

export type ActivityName = keyof RotationActivities;

/** A disturbance of one activity's n-th call. */
export interface Fault {
  readonly activity: ActivityName;
  /** Counted from 1; default: every call. */
  readonly call?: number;
  readonly when: 'before' | 'after';
  readonly act: (attempt: number) => Promise<void> | void;
}

export class World {
  readonly state: WorldState;
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  /** What readiness, and after a settlement the rehearsal, see of a token; and what the proof was given of it. */
  readonly headers: { readiness: JoseHeader | null; rehearsal: JoseHeader | null; proof: JoseHeader | null } = {
    readiness: null,
    rehearsal: null,
    proof: null,
  };
  leftBehind: LeftBehind | null = null;
  /** What its services are: locked while they are deployed. Default: nothing is. */
  things: readonly string[] = [];

  constructor(readonly plan: Omit<RotationPlan, 'requestId' | 'operator' | 'reason' | 'note'>) {
    this.state = {
      old: 'v1',
      pending: null,
      previous: null,
      arrangement: 'old only',
      running: Object.fromEntries(plan.services.map((service) => [service.name, 'old only'])),
      sessions: 7,
      ledger: [],
      reminders: 0,
    };
  }

  activities(): RotationActivities {
    const { state, plan } = this;
    const said = (summary: string): Promise<{ summary: string }> => Promise.resolve({ summary });
    const effects: RotationActivities = {
      expandRequest: (request) => Promise.resolve([{ ...plan.ref, system: request.system, secret: request.secret }]),
      resolvePlan: ({ operator, reason, requestId, note }) =>
        Promise.resolve({ ...plan, operator, reason, requestId, note: note ?? null }),
      checkReadiness: () =>
        Promise.resolve({
          summary: 'ready',
          leftBehind: this.leftBehind,
          tokenHeader: this.headers.readiness,
          things: this.things,
          deployedBy: null,
        }),
      askReadiness: () =>
        Promise.resolve({
          summary: 'asked',
          worker: 'a worker of the tests',
          lines: [{ question: 'ledger', state: 'ok', answer: 'reachable' }],
        }),
      stageSecret: () => {
        state.pending ??= 'v2';
        return said('staged');
      },
      arrangeSecret: ({ arrangement }) => {
        const changed = Context.current().info.attempt > 1 || state.arrangement !== arrangement;
        const isNew = arrangement.startsWith('new');
        if (isNew && state.pending) [state.previous, state.old, state.pending] = [state.old, state.pending, null];
        else if (!isNew && state.previous)
          [state.pending, state.old, state.previous] = [state.old, state.previous, null];
        state.arrangement = arrangement;
        return Promise.resolve({ summary: arrangement, facts: { changed } });
      },
      discardSecret: () => {
        state.pending = null;
        return said('discarded');
      },
      forgetPrevious: () => {
        state.previous = null;
        state.arrangement = 'old only';
        return said('forgotten');
      },
      findAhead: () => Promise.reject(new Error('the harness asks Temporal itself')),
      awaitServices: () => Promise.reject(new Error('the harness asks Temporal itself')),
      deployService: (service) => {
        state.running[service.name] = state.arrangement;
        return said('deployed');
      },
      revokeSessions: () => {
        const revoked = state.sessions;
        state.sessions = 0;
        return Promise.resolve({ summary: `${revoked} before, 0 after`, facts: { revoked } });
      },
      runChecks: () => said('flows pass'),
      watchMonitors: () => said('quiet'),
      rehearseProof: () => Promise.resolve({ summary: 'accepted', tokenHeader: this.headers.rehearsal }),
      seeWhoSigns: () => said('signed with the new value'),
      proveOldRefused: async ({ oldHeader }) => {
        this.headers.proof = oldHeader;
        return proven(await said('refused'));
      },
      findWindow: (window) => Promise.resolve(findWindow(window)),
      remindApprovers: () => {
        state.reminders += 1;
        return Promise.resolve();
      },
      findHolder: (workflowId) =>
        Promise.resolve({ workflowId, runId: 'the-other-run', phase: 'changing', startedAt: '2026-01-01T00:00:00Z' }),
      recordRotation: ({ requestId: id, orElse, outcome, proof, notes, steps: evidence }) => {
        const other = state.ledger.some((row) => row.requestId === id && row.notes !== notes);
        const requestId = other && orElse !== undefined ? orElse : id;
        const known = state.ledger.some((row) => row.requestId === requestId);
        if (!known) state.ledger.push({ requestId, outcome, proof, notes, evidence });
        return Promise.resolve({ sequence: state.ledger.length, nextDueAt: null });
      },
    };
    return Object.fromEntries(
      Object.entries(effects).map(([name, body]) => [name, this.disturbed(name as ActivityName, body as never)]),
    ) as unknown as RotationActivities;
  }

  private disturbed(name: ActivityName, body: (...args: unknown[]) => Promise<unknown>) {
    return async (...args: unknown[]): Promise<unknown> => {
      const { attempt } = Context.current().info;
      const label = (args[0] as { arrangement?: string } | undefined)?.arrangement;
      if (attempt === 1) this.calls.push(label ? `${name} ${label}` : name);
      const call = this.calls.filter((line) => line.split(' ')[0] === name).length;
      const faults = this.faults.filter(
        (fault) => fault.activity === name && (fault.call === undefined || fault.call === call),
      );
      for (const fault of faults.filter((one) => one.when === 'before')) await fault.act(attempt);
      const result = await body(...args);
      for (const fault of faults.filter((one) => one.when === 'after')) await fault.act(attempt);
      return result;
    };
  }
}

/** A refusal by the world, as the activity wrapper reports it. */
export function failWith(
  effect: 'none' | 'applied' | 'unknown',
  message = 'the world said no',
  diagnosis: string | null = null,
  type = 'test-fault',
): () => never {
  return () => {
    throw ApplicationFailure.create({
      type,
      message,
      nonRetryable: true,
      details: [{ effect, hint: null, diagnosis }],
    });
  };
}

/** The effect is done and its answer lost, once. */
export function loseFirstAnswer(attempt: number): void {
  if (attempt === 1) throw new Error('the answer was lost');
}

/** Holds the activity until its run is cancelled. */
export async function untilCancelled(): Promise<void> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  try {
    await context.cancelled;
  } finally {
    clearInterval(beat);
  }
}
