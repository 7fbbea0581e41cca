/**
 * The lock on the services of a plan, as the run that deploys them holds it: a child workflow under the id of what is deployed, so a
 * second run cannot start it. Temporal's server ends the child with this run, whatever becomes of it; after a reset, which leaves the
 * child behind, whoever meets it frees it (activities/service-locks.ts), and at the latest its own time limit does.
 *
 * Never held while people or time are waited for: what waits lets go first, and takes it anew.
 */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { HeldService } from '../../activities/rotation-activities.js';
import { formatMilliseconds, milliseconds } from '../../domain/durations.js';
import type { RotationPlan } from '../../domain/plan.js';
import { formatRef } from '../../domain/refs.js';
import { lockIdOf, LOCK_WORKFLOW_TYPE, turnOf, type LockHolder } from '../../domain/service-lock.js';
import { quickLooks, recurringEffects } from './activities.js';
import type { Board } from './board.js';
import { answer, endsRun, reasonOf } from './failures.js';
import type { Resets } from './resets.js';
import type { holdService } from '../hold-service.js';
import { releaseSignal } from '../hold-service.js';

/** `back`: an undo, which waits for the lock and does not fail for want of it. */
export type Going = 'forward' | 'back';

interface Held {
  readonly workflowId: string;
  readonly runId: string;
  /** Settles when the lock has ended; after a reset perhaps never. */
  readonly ended: Promise<void>;
}

/** Attempts of a deploy are eight; more than that, and an hour, is not needed by anybody. */
const ATTEMPTS = 10;
const SLACK_MS = 3_600_000;
/** While every row is read and written the services stand still. */
const ROWS_MS = 7 * 86_400_000;
/** Holders that a waiting run shows one after the other; after that it looks again when it is its turn. */
const SHOWN = 20;

export class ServiceLock {
  private things: readonly string[] = [];
  private held: readonly Held[] = [];
  private lost: string | null = null;

  constructor(
    private readonly plan: RotationPlan,
    private readonly board: Board,
    private readonly resets: Resets,
  ) {}

  /** What is deployed, as readiness has found it on its host. */
  of(things: readonly string[]): void {
    this.things = things;
    this.board.deploys(things);
  }

  /** For a watch, which runs outside the lock and looks at who holds it. */
  get watched(): readonly string[] {
    return this.things;
  }

  /**
   * Before the first of a stop or deploy; nothing where it is held already. All of the services, or none.
   * @param before the step on the checklist that waits for it. @throws CancelledFailure; ApplicationFailure as `stillHeld`.
   */
  async hold(before: string, going: Going): Promise<void> {
    if (going === 'forward') this.stillHeld();
    if (this.held.length > 0 && this.lost === null) return;
    await this.release();
    if (this.things.length === 0) return;
    const since = Date.now();
    const turn = turnOf(this.plan.reason, going, new Date(since));
    const ahead = await this.findAhead(turn);
    if (ahead === null && (await this.take())) return;
    const row = `services before ${before} ${going}`;
    this.board.addBefore(row, `Wait for ${this.names} (${this.board.titleOf(before)})`, before);
    this.board.begin(row);
    if (ahead !== null) this.board.sees(row, [ahead], 'Who comes first');
    this.board.takesTurn(turn);
    try {
      const last = await this.takeInTurn(row, turn);
      const whose = last ? `; it was held by ${last.ref}` : '';
      this.board.end(row, {
        state: 'done',
        evidence: { summary: `${formatMilliseconds(Date.now() - since)}${whose}` },
      });
    } catch (error) {
      if (endsRun(error)) this.board.end(row, { state: 'failed', error: reasonOf(error) });
      throw error;
    } finally {
      this.board.takesTurn(null);
    }
  }

  /** Before each effect on the services: somebody has freed what this run held, and another run may deploy them now. */
  stillHeld(): void {
    if (this.lost === null) return;
    throw answer(
      'service-lock-lost',
      `${this.lost} ended while this run held it: it was terminated, or its time was up, and another run may deploy ${this.names} now`,
      [{ effect: 'none', hint: 'see what runs with keyturn status, then start the same again' }],
    );
  }

  /** Before anything is waited for, and as soon as the services are seen to be well. */
  async release(): Promise<void> {
    const { held } = this;
    this.held = [];
    this.lost = null;
    await CancellationScope.nonCancellable(() => Promise.all(held.map((lock) => this.free(lock))));
  }

  private get names(): string {
    return this.plan.services.map(({ name }) => name).join(', ');
  }

  /** Who comes when it is free must not come before those who wait: they ask once a second. */
  private async findAhead(turn: string): Promise<string | null> {
    const { things } = this;
    try {
      return (await quickLooks().findAhead({ things, workflowId: workflowInfo().workflowId, turn })).ahead;
    } catch (error) {
      // Not known: the order is a courtesy, the lock is not.
      if (isCancellation(error) || !endsRun(error)) throw error;
      return null;
    }
  }

  /** @returns false when somebody else has one of them: then this run has none. */
  private async take(): Promise<boolean> {
    const taken: Held[] = [];
    for (const thing of this.things) {
      const lock = await this.start(thing);
      if (!lock) {
        await CancellationScope.nonCancellable(() => Promise.all(taken.map((one) => this.free(one))));
        return false;
      }
      taken.push(lock);
    }
    this.held = taken;
    this.lost = null;
    for (const lock of taken) {
      void lock.ended.then(() => {
        // Not by this run's own release.
        if (this.held.includes(lock)) this.lost = `the lock ${lock.workflowId}`;
      });
    }
    return true;
  }

  /** Outside the reach of a cancellation: what is held must be held through the undo. */
  private async start(thing: string): Promise<Held | null> {
    const { workflowId, firstExecutionRunId } = workflowInfo();
    const holder: LockHolder = { ref: formatRef(this.plan.ref), workflowId, firstRunId: firstExecutionRunId };
    return await CancellationScope.nonCancellable(async () => {
      try {
        const child = await startChild<typeof holdService>(LOCK_WORKFLOW_TYPE, {
          workflowId: lockIdOf(thing),
          args: [holder],
          memo: { holder },
          parentClosePolicy: ParentClosePolicy.TERMINATE,
          cancellationType: ChildWorkflowCancellationType.ABANDON,
          workflowRunTimeout: this.limit,
          staticSummary: `${this.names}: held by ${holder.ref}`.slice(0, 190),
        });
        const ended = child.result().catch(() => undefined);
        return { workflowId: child.workflowId, runId: child.firstExecutionRunId, ended };
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
        throw error;
      }
    });
  }

  private get limit(): number {
    const once = this.plan.services.map(
      ({ deploy, health }) =>
        milliseconds(deploy.timeout) + health.reduce((sum, { within }) => sum + milliseconds(within), 0),
    );
    const deploys = once.reduce((sum, one) => sum + one, 0);
    return ATTEMPTS * deploys + SLACK_MS + (this.plan.encryption ? ROWS_MS : 0);
  }

  /** Its id is free when this returns, but after a reset, when its end may not be told to this run. */
  private async free({ workflowId, runId, ended }: Held): Promise<void> {
    try {
      await getExternalWorkflowHandle(workflowId, runId).signal(releaseSignal, workflowInfo().firstExecutionRunId);
    } catch (error) {
      // It has ended already.
      if (isCancellation(error)) throw error;
    }
    if (!this.resets.happened) await ended;
  }

  /** @returns who held it last. */
  private async takeInTurn(row: string, turn: string): Promise<HeldService | null> {
    const { things } = this;
    const { workflowId, taskQueue } = workflowInfo();
    const ask = recurringEffects(`Wait for ${this.names}`.slice(0, 190), taskQueue, '1s');
    const holders: HeldService[] = [];
    for (;;) {
      const last = holders.at(-1) ?? null;
      const wanted = { things, workflowId, turn, known: last?.key ?? null, tell: holders.length < SHOWN };
      const { heldBy } = await ask.awaitServices(wanted);
      if (heldBy) {
        holders.push(heldBy);
        this.board.sees(row, [`${heldBy.thing}: held by ${heldBy.ref} since ${heldBy.since}`], 'Who deploys it now');
      } else if (await this.take()) return last;
    }
  }
}
