/** What a run remembers on its way: how to undo, what stays, what people must do, and how far back it can go. */
import type { IfCancelled } from '../../domain/cancelling.js';
import type { Evidence } from '../../domain/evidence.js';
import type { RotationPlan } from '../../domain/plan.js';
import { notProven, type Proof } from '../../domain/proof.js';
import type { StepRecord } from '../../domain/report.js';
import { runbookOf } from '../../runbooks/index.js';
import type { Board } from './board.js';
import { EarlierRun } from './earlier-run.js';
import type { Gatekeeper } from './gatekeeper.js';
import { ServiceLock } from './service-lock.js';
import { Steering } from './steering.js';

export interface Undo {
  readonly step: string;
  readonly undo: () => Promise<Evidence>;
}

export class Course {
  readonly undos: Undo[] = [];
  readonly todo: string[] = [];
  readonly lasting: string[] = [];
  readonly startedAt = new Date(Date.now()).toISOString();
  pastNoReturn = false;
  /** The application was, or may have been, shown the new value. */
  newShown = false;
  /** The step whose failure ends the run. */
  failedAt: string | null = null;
  /** A step beside the change failed, and the run went on without it. */
  incomplete = false;
  /** However it ends from here on, it goes into the ledger. */
  recordable = false;
  /** Whether the old value is dead. */
  proof: Proof = notProven('the run ended before it was tried');
  /** What a person must do if the run ends now. */
  halfDone: string | null = null;
  /** Why a cancellation changes nothing any more. */
  tooLate: string | null = null;

  readonly earlier: EarlierRun;
  readonly services: ServiceLock;
  readonly steering: Steering;

  constructor(
    readonly plan: RotationPlan,
    readonly gates: Gatekeeper,
    readonly board: Board,
  ) {
    this.earlier = new EarlierRun(plan.reason);
    this.services = new ServiceLock(plan, board, gates.resets);
    this.steering = new Steering(gates);
    this.steering.register(runbookOf(plan).steering);
    board.ifCancelled = () => this.ifCancelled();
  }

  private ifCancelled(): IfCancelled {
    const { tooLate, halfDone, gates, undos, board } = this;
    if (tooLate !== null) return { comes: 'too late', why: tooLate };
    if (gates.resets.happened)
      return { comes: 'half done', todo: 'it was reset, so it undoes nothing: the next run finds what there is' };
    if (halfDone !== null) return { comes: 'half done', todo: halfDone };
    const undoes = [...new Set(undos.map(({ step }) => step))].reverse().map((step) => board.titleOf(step));
    return { comes: 'undone', undoes, stays: this.stays() };
  }

  /** What stays although the run was undone. */
  stays(): string[] {
    return [...this.lasting, ...(this.earlier.stands ? [this.earlier.stands.line] : [])];
  }

  /** The one whose failure ends the run, whether or not it has been undone since. */
  failedStep(): StepRecord | undefined {
    return this.failedAt === null ? undefined : this.board.stepsOf([this.failedAt])[0];
  }
}
