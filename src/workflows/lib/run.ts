/**
 * One run of a runbook: carries its steps out in order, keeps the checklist that people see, remembers how to undo, and ends
 * completed, rejected, aborted, rolled back, cancelled, or stopped with a list of what a person must do. Never silently half done.
 */
import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Evidence } from '../../domain/evidence.js';
import type { RotationPlan } from '../../domain/plan.js';
import type { Proof } from '../../domain/proof.js';
import { isExposed } from '../../domain/reason.js';
import type { RotationReport } from '../../domain/report.js';
import type { LeftBehind } from '../../activities/rotation-activities.js';
import type { Board } from './board.js';
import { cancellationOf, notCancelledYet } from './cancellation.js';
import { Course } from './course.js';
import { decide, type DecisionOptions } from './decide.js';
import { Ending } from './ending.js';
import { effectOf, endsRun, hintOf, isForCancellation, reasonOf, whatFailed } from './failures.js';
import type { Gatekeeper } from './gatekeeper.js';
import type { Steering } from './steering.js';
import type { ServiceLock } from './service-lock.js';

interface StepOptions {
  /** Registered before the step begins, since a failed effect may have happened all the same. Must be idempotent. */
  readonly undo?: () => Promise<Evidence>;
  /**
   * What stays changed when the run is undone, for people: `the sessions that were ended stay ended`.
   * @param evidence null: it failed, and may have been done all the same. @returns null: nothing does.
   */
  readonly lasting?: (evidence: Evidence | null) => string | null;
}

export class Run {
  /** Until when the maintenance window is open, milliseconds of workflow time, as window.ts found it last. */
  windowOpenUntil = 0;
  private readonly course: Course;

  constructor(
    readonly plan: RotationPlan,
    gates: Gatekeeper,
    readonly board: Board,
  ) {
    this.course = new Course(plan, gates, board);
  }

  /** Carries out one step. Its evidence, or why it failed, goes on the checklist. */
  async step<T extends Evidence>(key: string, body: () => Promise<T>, options: StepOptions = {}): Promise<T> {
    if (options.undo) this.course.undos.push({ step: key, undo: options.undo });
    this.board.begin(key);
    try {
      const evidence = await body();
      this.board.end(key, { state: 'done', evidence });
      this.stays(options.lasting?.(evidence));
      return evidence;
    } catch (error) {
      if (endsRun(error)) {
        this.board.end(key, { state: 'failed', ...whatFailed(error) });
        this.course.failedAt = key;
        if (effectOf(error) !== 'none') this.stays(options.lasting?.(null));
      }
      throw error;
    }
  }

  /**
   * A step beside the change itself, once that is made: sessions, flows, monitors. Where others may have the old value, its failure is
   * left to people and the run goes on; otherwise it ends the run, as any step's does.
   * @returns null: it failed.
   */
  async stepBeside<T extends Evidence>(
    key: string,
    body: () => Promise<T>,
    options: StepOptions = {},
  ): Promise<T | null> {
    try {
      return await this.step(key, body, options);
    } catch (error) {
      if (!endsRun(error) || !isExposed(this.plan.reason)) throw error;
      const hint = hintOf(error);
      this.leaves(`"${this.board.titleOf(key)}" failed: ${reasonOf(error)}${hint ? ` (${hint})` : ''}`);
      this.course.incomplete = true;
      this.course.failedAt = null;
      return null;
    }
  }

  private stays(what: string | null | undefined): void {
    if (what) this.course.lasting.push(what);
  }

  /** For people, however the run ends. */
  leaves(todo: string): void {
    this.course.todo.push(todo);
  }

  /** For the ledger, beside what people have said. */
  notes(what: string): void {
    this.course.gates.note(what);
  }

  /** What is seen of the old value's death, for report and ledger. */
  proves(proof: Proof): void {
    this.course.proof = proof;
  }

  /** What an earlier run did and this one would undo: known before the step that does it again. */
  undoes(key: string, undo: () => Promise<Evidence>): void {
    this.course.undos.push({ step: key, undo });
  }

  /** How people steer its waits. */
  get steering(): Steering {
    return this.course.steering;
  }

  /** The lock on what this run deploys. */
  get services(): ServiceLock {
    return this.course.services;
  }

  /** The application is, or may be, shown the new value: to go back means that the old one serves again. */
  showsNew(): void {
    this.course.newShown = true;
  }

  /** From here on the attempt goes into the ledger, however it ends. @param things what its services are on their host. */
  nothingStandsInTheWay({ things }: { readonly things: readonly string[] }): void {
    this.course.recordable = true;
    this.services.of(things);
  }

  /**
   * This run goes on with what an earlier one had staged or made. Where others may have the secret, they may have that too: it is used
   * to be rid of what came before it, and then replaced in its turn.
   */
  goesOnWith({ rotation, exposed }: Pick<LeftBehind, 'rotation' | 'exposed'>): void {
    if (isExposed(this.plan.reason)) this.course.older = rotation;
    this.finishes({ exposed });
  }

  /** What an earlier run had begun is ended by this one. */
  finishes({ exposed }: Pick<LeftBehind, 'exposed'>): void {
    this.course.finishesExposed = exposed;
  }

  /** Others have, or may have, what this run destroys last: its own old value, or that of the run which it finishes. */
  get endsExposed(): boolean {
    return isExposed(this.plan.reason) || this.course.finishesExposed;
  }

  /** How the versions of an earlier run stand from now on, in whatever this run ends. @param changed this run did something to them. */
  settled(line: string, changed: boolean): void {
    this.course.earlier = { line, changed };
  }

  /**
   * A change that nothing undoes, before the point of no return: a run that ends before `body` is through is `stopped`.
   * @param todo what a person must do then.
   */
  async unlessHalfDone<T>(todo: string, body: () => Promise<T>): Promise<T> {
    this.board.changes();
    this.course.halfDone = todo;
    const result = await body();
    this.course.halfDone = null;
    return result;
  }

  /** Waits for people, as a step of its own. @throws Rejected. */
  async gate(key: string, name: string, question: string, options: DecisionOptions = {}): Promise<void> {
    await this.step(key, async () => ({ summary: (await this.decision(key, name, question, options)) ?? '' }));
  }

  /**
   * Waits for people within a step.
   * @returns who decided; null when the question was taken back. @throws Rejected.
   */
  async decision(key: string, name: string, question: string, options: DecisionOptions = {}): Promise<string | null> {
    return await decide(this.course, { key, name, question }, options);
  }

  /** A durable wait: a Temporal timer, so it survives worker deploys and restarts of the server. */
  async wait(key: string, what: string, milliseconds: number): Promise<void> {
    const until = new Date(Date.now() + milliseconds).toISOString();
    await this.step(key, async () => {
      await this.pause(what, milliseconds);
      return { summary: milliseconds > 0 ? `waited until ${until}` : 'nothing to wait for' };
    });
  }

  /** The same within a step. */
  async pause(what: string, milliseconds: number): Promise<void> {
    if (milliseconds <= 0) return;
    await this.services.release();
    const until = new Date(Date.now() + milliseconds).toISOString();
    this.board.waitsUntil(what, until);
    await sleep(milliseconds, { summary: `${what} (until ${until})`.slice(0, 190) });
    this.board.waitsUntil(null);
  }

  /**
   * `toNew` puts everything on the new value, `after` is what then follows.
   *
   * Where others may have the old value, only a failure of `toNew` brings it back: something that cannot run on the new one. A
   * cancellation comes too late once `toNew` has begun, and `after` only goes forward.
   */
  async change(toNew: () => Promise<void>, after: () => Promise<void>): Promise<void> {
    this.board.changes();
    const exposed = isExposed(this.plan.reason);
    if (!exposed) {
      await toNew();
      await after();
      return;
    }
    await notCancelledYet();
    this.course.tooLate =
      'others may have the old value, and the new one goes into use: it goes back only if that fails';
    await CancellationScope.nonCancellable(async () => {
      await toNew();
      await this.pointOfNoReturn(after);
    });
  }

  /**
   * What follows only goes forward: a cancellation no longer stops it, and a failure ends with a list for a person.
   *
   * Unless the run was cancelled by now: a step that was under way when somebody cancelled may have been done all the same, and said
   * so. Nothing would look at the cancellation any more. @throws CancelledFailure before anything of `body` is begun.
   */
  async pointOfNoReturn(body: () => Promise<void>): Promise<void> {
    await notCancelledYet();
    this.board.changes();
    this.course.pastNoReturn = true;
    this.course.tooLate = 'it is past the point of no return, and only goes forward';
    await CancellationScope.nonCancellable(body);
  }

  /**
   * @returns the report of a completed, rejected or aborted run.
   * @throws ApplicationFailure `rolled-back` or `stopped` with the report in its details; CancelledFailure once all is undone.
   * A run that cannot be recorded ends `stopped`, however it would have ended.
   */
  async carryOut(body: () => Promise<void>): Promise<RotationReport> {
    const ending = new Ending(this.course);
    const scope = CancellationScope.current();
    try {
      await body();
    } catch (error) {
      if (!endsRun(error)) throw error;
      // A cancelled step whose worker was lost fails with that: what ended the run is the cancellation all the same.
      const cause = isForCancellation(error) && scope.consideredCancelled ? await cancellationOf(scope) : error;
      return await CancellationScope.nonCancellable(() => ending.early(cause));
    }
    return await CancellationScope.nonCancellable(() => ending.completed());
  }
}
