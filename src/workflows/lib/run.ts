/**
 * One run of a runbook: carries its steps out in order, keeps the checklist that people see, remembers how to undo, and ends
 * completed, rejected, aborted, rolled back, cancelled, or stopped with a list of what a person must do. Never silently half done.
 */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { Evidence } from '../../domain/evidence.js';
import type { RotationPlan } from '../../domain/plan.js';
import type { Proof } from '../../domain/proof.js';
import { isExposed } from '../../domain/reason.js';
import type { RotationReport } from '../../domain/report.js';
import { outlineOf, type StepOutline, type StepTable } from '../../domain/steps.js';
import { Board } from './board.js';
import { Cancellable } from './cancellation.js';
import { Course } from './course.js';
import { decide, type DecisionOptions } from './decide.js';
import type { EarlierRun } from './earlier-run.js';
import { Ending } from './ending.js';
import { effectOf, endsRun, hintOf, isForCancellation, reasonOf, whatFailed } from './failures.js';
import type { Gatekeeper } from './gatekeeper.js';
import { NoReturn } from './no-return.js';
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

/** @typeParam K the steps of its table that it may be asked for: any run will do where it is `never`. */
export class Run<K extends string = never> {
  /** Until when the maintenance window is open, milliseconds of workflow time, as window.ts found it last. */
  windowOpenUntil = 0;
  readonly board: Board;
  private readonly course: Course;
  private readonly noReturn: NoReturn;
  private cancellable: Cancellable | null = null;
  /** A run with more steps will do, one with fewer will not. */
  declare protected readonly accepts: (key: K) => void;

  constructor(
    readonly plan: RotationPlan,
    gates: Gatekeeper,
    outline: readonly StepOutline[],
  ) {
    this.board = new Board(plan, gates, outline);
    gates.onChange(() => this.board.refresh());
    this.course = new Course(plan, gates, this.board);
    this.noReturn = new NoReturn(this.course, () => this.cancellable);
  }

  static of<P extends RotationPlan, K extends string>(plan: P, gates: Gatekeeper, table: StepTable<P, K>): Run<K> {
    return new Run<K>(plan, gates, outlineOf(table, plan));
  }

  /**
   * Carries out one step. Its evidence, or why it failed, goes on the checklist.
   *
   * Where the table has no way back from it, or from what follows it, the run is past its point of no return: a cancellation no longer
   * stops it, and a failure ends with a list for a person.
   * @returns null: the plan has no such step.
   */
  async step<T extends Evidence>(key: K, body: () => Promise<T>, options: StepOptions = {}): Promise<T | null> {
    if (!this.board.has(key)) return null;
    await this.noReturn.enter(this.board.outlineOf(key));
    const evidence = await this.line(key, body, options);
    await this.noReturn.leave(key);
    return evidence;
  }

  /** The first step of a runbook. From here on the attempt goes into the ledger, however it ends. */
  async prepare<T extends Evidence & { readonly things: readonly string[] }>(body: () => Promise<T>): Promise<T> {
    const found = await this.line('prepare', body, {});
    this.course.recordable = true;
    // What its services are on their host.
    this.services.of(found.things);
    return found;
  }

  /** Whether the plan has the step: where it has not, nothing is locked or waited for on its account. */
  has(key: K): boolean {
    return this.board.has(key);
  }

  /** A line of the checklist that no table foresees: a wait before `before`. */
  async lineBefore(before: K, what: string, title: string, body: () => Promise<Evidence>): Promise<void> {
    const key = `${what} before ${before}`;
    this.board.addBefore(key, `${title} (${this.board.titleOf(before)})`, before);
    await this.line(key, body, {});
  }

  private async line<T extends Evidence>(key: string, body: () => Promise<T>, options: StepOptions): Promise<T> {
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
   * @returns null: it failed, or the plan has no such step.
   */
  async stepBeside<T extends Evidence>(key: K, body: () => Promise<T>, options: StepOptions = {}): Promise<T | null> {
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
  undoes(key: K, undo: () => Promise<Evidence>): void {
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

  /** Of the run that had ended before this one. */
  get earlier(): EarlierRun {
    return this.course.earlier;
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

  /** Steps that only some runs come to: this one does. */
  expects(keys: readonly K[]): void {
    this.board.expect(keys);
  }

  /** Waits for people, as a step of its own. @throws Rejected. */
  async gate(key: K, question: string, options: DecisionOptions = {}): Promise<void> {
    await this.step(key, async () => {
      const name = this.board.outlineOf(key).gate ?? key;
      return { summary: (await this.decision(key, name, question, options)) ?? '' };
    });
  }

  /**
   * Waits for people within a step.
   * @returns who decided; null when the question was taken back. @throws Rejected.
   */
  async decision(key: K, name: string, question: string, options: DecisionOptions = {}): Promise<string | null> {
    return await decide(this.course, { key, name, question }, options);
  }

  /** A durable wait: a Temporal timer, so it survives worker deploys and restarts of the server. */
  async wait(key: K, what: string, milliseconds: number): Promise<void> {
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
   * @returns the report of a completed, rejected or aborted run.
   * @throws ApplicationFailure `rolled-back` or `stopped` with the report in its details; CancelledFailure once all is undone.
   * A run that cannot be recorded ends `stopped`, however it would have ended.
   */
  async carryOut(body: () => Promise<void>): Promise<RotationReport> {
    const ending = new Ending(this.course);
    const scope = CancellationScope.current();
    return await CancellationScope.nonCancellable(async () => {
      const cancellable = new Cancellable(scope);
      this.cancellable = cancellable;
      try {
        await cancellable.carryOut(body);
      } catch (error) {
        if (!endsRun(error)) throw error;
        // A cancelled step whose worker was lost fails with that: what ended the run is the cancellation all the same.
        const cancelled = (isForCancellation(error) || isCancellation(error)) && cancellable.happened;
        return await ending.early(cancelled ? await cancellable.cause() : error);
      }
      return await ending.completed();
    });
  }
}
