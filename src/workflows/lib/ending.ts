/** How a run ends: what was begun is undone, the end is recorded, and the failure or the report says how things stand. */
import { isCancellation } from '@temporalio/workflow';
import { NO_PROOF_DECLARED, proofInWords } from '../../domain/proof.js';
import { exposedValue } from '../../domain/reason.js';
import { formatRef } from '../../domain/refs.js';
import type { Outcome, RotationReport } from '../../domain/report.js';
import { FAILURE_TYPES } from '../../domain/status.js';
import { runbookOf } from '../../runbooks/index.js';
import { askAfterThreeAttempts } from './activities.js';
import type { Course } from './course.js';
import { Aborted, answer, endsRun, hintOf, isNo, reasonOf, Rejected, whatFailed } from './failures.js';
import { olderInUse, recordRun, reportOf } from './record.js';
import { untilUndone } from './undoing.js';

const NOT_RECORDED = { sequence: null, nextDueAt: null };

export class Ending {
  constructor(private readonly course: Course) {}

  /** @throws ApplicationFailure `stopped` when it cannot be recorded. */
  async completed(): Promise<RotationReport> {
    const { incomplete } = this.course;
    if (incomplete) this.tellOlder();
    const report = await this.end(incomplete ? 'stopped' : 'completed');
    if (incomplete) throw stopped('the new value is in use and the old one is gone, but not all is done', report);
    if (report.outcome === 'stopped') throw stopped('the rotation is done, but not recorded', report);
    return report;
  }

  /** @throws ApplicationFailure `rolled-back` or `stopped`, or the cancellation; the report of a rejected or aborted run is returned. */
  async early(error: Error): Promise<RotationReport> {
    const reason = reasonOf(error);
    if (isNo(error) && this.course.pastNoReturn && !this.wasReset) this.course.todo.push(...this.notUndone());
    const outcome =
      this.course.pastNoReturn || this.wasReset ? this.stop(reason, this.hint(error)) : await this.undoAll(error);
    const where = this.course.failedStep()?.name ?? 'the run';
    const report = await this.end(outcome);
    if (outcome === 'stopped') throw stopped(`stopped at "${where}": ${reason}`, report);
    const how = outcome === 'rolled back' ? `"${where}" failed: ${reason}` : `${outcome}: ${reason}`;
    const message = [...this.exposed('serves again'), how, this.howThingsStand()].join('; ');
    if (report.outcome === 'stopped') throw stopped(`${message}; but this is not recorded`, report);
    if (isNo(error)) return report;
    if (outcome === 'cancelled') throw error;
    throw answer(FAILURE_TYPES.rolledBack, message, [report]);
  }

  /**
   * A run that was reset does not know what it had come to before, and what it has begun since is not all that would have to be
   * undone. The next run finds what there is, as after a terminated one. Asked when a run's end begins: an undo that had begun before
   * the place of the reset goes on, for that run had come to know all of it.
   */
  private get wasReset(): boolean {
    return this.course.gates.resets.happened;
  }

  private hint(error: Error): string | null {
    if (!this.wasReset) return hintOf(error);
    return 'this run was reset and has undone nothing, since it does not know what it had come to before: start the same again, which goes on from what there is, and takes it back if it is rejected or cancelled';
  }

  /** A no at a gate past the point of no return: how things stand, and what a person can do about the old value. */
  private notUndone(): string[] {
    const { plan, proof } = this.course;
    const old = plan.reason === 'routine' ? 'the old value' : exposedValue(plan.reason);
    const declare = proof === NO_PROOF_DECLARED ? ', or declare a proof in the inventory' : '';
    return [
      `the new value is in use and nothing was undone; ${old} may still be accepted (${proofInWords(proof)}): look by hand whether it is refused${declare}`,
      `the old value is kept in the store's versions: start a rotation of ${formatRef(plan.ref)} once more, which settles this run first and destroys it`,
    ];
  }

  /** After everything was undone. */
  private howThingsStand(): string {
    const { earlier, recordable } = this.course;
    if (!recordable) return 'nothing was changed';
    const before = earlier.stands?.changed ? 'what this run itself began is undone' : 'everything is as it was before';
    return [before, ...this.course.stays()].join(', but ');
  }

  /** In reverse order. The first undo that cannot be done stops the rest: what follows would stand on it. */
  private async undoAll(error: Error): Promise<Outcome> {
    const { plan } = this.course;
    this.course.tooLate = 'it is being undone already';
    if (this.course.undos.length > 0) this.course.board.setPhase('undoing');
    askAfterThreeAttempts(true);
    const kept: string[] = [];
    for (const [index, { step, undo }] of [...this.course.undos].reverse().entries()) {
      try {
        const undone = await untilUndone(this.course, step, undo);
        if ('goneOnWithout' in undone) {
          this.course.board.undoFailed(step, whatFailed(undone.why));
          kept.push(
            `"${this.course.board.titleOf(step)}" is not undone, as ${undone.goneOnWithout} decided: ${reasonOf(undone.why)}`,
          );
        } else this.course.board.end(step, { state: 'undone', evidence: undone });
      } catch (failure) {
        if (!endsRun(failure)) throw failure;
        this.course.board.undoFailed(step, whatFailed(failure));
        const left = this.course.undos.length - index - 1;
        this.course.todo.unshift(...this.exposed('may serve again'));
        const rest = left > 0 ? `, and ${left} earlier step(s) are not undone either` : '';
        return this.stop(
          `undoing "${this.course.board.titleOf(step)}" failed: ${reasonOf(failure)}${rest}`,
          hintOf(failure) ?? `docs/runbooks/${runbookOf(plan).page}.md, "Recovery by hand", says how`,
        );
      }
    }
    if (kept.length > 0) return this.stop(kept.join('; '), null);
    if (this.course.halfDone !== null) {
      const by = this.course.gates.cancelledBy;
      const why = isCancellation(error)
        ? `the run was cancelled${by === null ? '' : ` by ${by}`} meanwhile`
        : reasonOf(error);
      return this.stop(`${this.course.halfDone}: ${why}`, hintOf(error));
    }
    const wanted = isNo(error) || isCancellation(error);
    this.course.todo.unshift(
      ...this.exposed('serves again').map(
        (line) => `${line}: ${wanted ? '' : 'mend what failed and '}rotate it at once`,
      ),
    );
    if (isCancellation(error)) return 'cancelled';
    if (error instanceof Aborted) return 'aborted';
    return error instanceof Rejected ? 'rejected' : 'rolled back';
  }

  /** First of what a run that has gone back says: what others may have, or one who has left knows, is in use. */
  private exposed(how: 'serves again' | 'may serve again'): string[] {
    const { plan, newShown, recordable } = this.course;
    if (plan.reason === 'routine' || !recordable) return [];
    return [`${exposedValue(plan.reason)} ${newShown ? how : 'is still in use'}`];
  }

  private stop(reason: string, hint: string | null): Outcome {
    this.course.todo.push(hint ? `${reason} (${hint})` : reason);
    if (this.course.pastNoReturn) this.tellOlder();
    return 'stopped';
  }

  /** A run that completes rotates once more by itself; one that stops leaves it to people. */
  private tellOlder(): void {
    const { earlier, todo } = this.course;
    if (earlier.older !== null) todo.unshift(`${olderInUse(earlier.older)}: rotate it once more, at once`);
  }

  private async end(outcome: Outcome): Promise<RotationReport> {
    askAfterThreeAttempts(false);
    this.course.tooLate = 'it has ended, and is being recorded';
    // The ledger may keep a run waiting; its services are what they are by now.
    await this.course.services.release();
    this.course.board.skipTheRest();
    const record = this.course.recordable ? await recordRun(this.course, outcome) : NOT_RECORDED;
    const final = record === 'failed' ? 'stopped' : outcome;
    const report = reportOf(this.course, final, record === 'failed' ? NOT_RECORDED : record);
    this.course.board.finish(report);
    return report;
  }
}

function stopped(how: string, report: RotationReport): Error {
  return answer(FAILURE_TYPES.stopped, `${how}. To be done by a person: ${report.todo.join('; ')}`, [report]);
}
