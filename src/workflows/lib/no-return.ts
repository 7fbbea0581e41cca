/** How far back a run can go: by its table's steps, and by whether others may have the old value. */
import { isExposed } from '../../domain/reason.js';
import type { StepOutline } from '../../domain/steps.js';
import type { Cancellable } from './cancellation.js';
import type { Course } from './course.js';

/** Why a cancellation comes too late. */
const TOO_LATE = {
  change: 'others may have the old value, and the new one goes into use: it goes back only if that fails',
  forward: 'it is past the point of no return, and only goes forward',
};

export class NoReturn {
  constructor(
    private readonly course: Course,
    private readonly cancellable: () => Cancellable | null,
  ) {}

  /** Before a step. @throws CancelledFailure where the run was cancelled, and could not be any more from here on. */
  async enter({ undo, beginsChange }: StepOutline): Promise<void> {
    const { board, plan } = this.course;
    if (undo === 'forward') await this.pass();
    if (!beginsChange) return;
    board.changes();
    if (!isExposed(plan.reason)) return;
    await this.cancellable()?.shield();
    this.course.tooLate = TOO_LATE.change;
  }

  /** After a step: whatever comes between it and one that only goes forward belongs to that one. @throws as `enter`. */
  async leave(key: string): Promise<void> {
    if (this.course.board.stepAfter(key)?.undo === 'forward') await this.pass();
  }

  private async pass(): Promise<void> {
    if (this.course.pastNoReturn) return;
    await this.cancellable()?.shield();
    this.course.board.changes();
    this.course.pastNoReturn = true;
    this.course.tooLate = TOO_LATE.forward;
  }
}
