/**
 * One run of a backup: carries its steps out in order, keeps the checklist, and ends completed, not begun, stopped or cancelled. What
 * could not be proven is set aside, so that it is not taken for a backup.
 */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { formatBackup, type BackupPlan } from '../../domain/backup.js';
import { outlineOf } from '../../domain/steps.js';
import { BACKUP_KIND, BACKUP_STEPS, methodOfBackup } from '../../runbooks/backup/steps.js';
import type { IfCancelled } from '../../domain/cancelling.js';
import type { Evidence } from '../../domain/evidence.js';
import { LONGEST_NOTE } from '../../domain/messages.js';
import { remark } from '../../domain/one-line.js';
import type { Outcome, RotationReport } from '../../domain/report.js';
import { FAILURE_TYPES } from '../../domain/status.js';
import { persistentEffects } from './activities.js';
import { Board } from './board.js';
import { answer, endsRun, hintOf, reasonOf, whatFailed } from './failures.js';
import type { Gatekeeper } from './gatekeeper.js';
import { cancelledBy, requestInThisRun } from './record.js';

export class BackupRun {
  private readonly board: Board;
  private readonly startedAt = new Date(Date.now()).toISOString();
  private readonly todo: string[] = [];
  private readonly lasting: string[] = [];
  private begun = false;
  private proven = false;
  private over = false;

  constructor(
    private readonly plan: BackupPlan,
    private readonly gates: Gatekeeper,
  ) {
    const { system, environment, backup } = plan.ref;
    const { operator, note, command, taskQueue } = plan;
    const ref = { system, environment, secret: backup };
    const about = { reason: 'routine', method: methodOfBackup(plan), decisions: [] } as const;
    const shown = { ref, operator, note, command, taskQueue, ...about };
    this.board = new Board(shown, gates, outlineOf(BACKUP_STEPS, plan));
    this.board.ifCancelled = () => this.ifCancelled();
    gates.onChange(() => this.board.refresh());
  }

  async step(key: string, body: () => Promise<Evidence>): Promise<void> {
    this.board.begin(key);
    try {
      this.board.end(key, { state: 'done', evidence: await body() });
    } catch (error) {
      if (endsRun(error)) this.board.end(key, { state: 'failed', ...whatFailed(error) });
      throw error;
    }
  }

  /** From here on something may have been written: what is not proven is set aside, and the attempt goes into the ledger. */
  begins(): void {
    this.begun = true;
    this.board.setPhase('backing up');
  }

  /** From here on the backup counts, whatever else fails. */
  counts(): void {
    this.proven = true;
  }

  /**
   * @returns the report of a completed run.
   * @throws ApplicationFailure `rolled-back` (nothing was written) or `stopped`, with the report in its details; CancelledFailure.
   */
  async carryOut(body: () => Promise<void>): Promise<RotationReport> {
    try {
      await body();
    } catch (error) {
      if (!endsRun(error)) throw error;
      return await CancellationScope.nonCancellable(() => this.failed(error));
    }
    return await CancellationScope.nonCancellable(async () => {
      const report = await this.end('completed');
      if (report.outcome === 'completed') return report;
      throw stopped('the backup is made and proven, but not recorded', report);
    });
  }

  private ifCancelled(): IfCancelled {
    const { begun, proven, over, board } = this;
    if (over) return { comes: 'too late', why: 'it has ended, and is being recorded' };
    return {
      comes: 'undone',
      undoes: begun && !proven ? [board.titleOf('make')] : [],
      stays: proven ? ['the backup is made and proven: it counts'] : [],
    };
  }

  private async failed(error: Error): Promise<never> {
    const reason = reasonOf(error);
    const where = this.board.steps.find((step) => step.error !== undefined)?.name ?? 'the run';
    if (!this.begun) {
      const report = await this.end(isCancellation(error) ? 'cancelled' : 'rolled back');
      if (isCancellation(error)) throw error;
      throw answer(FAILURE_TYPES.rolledBack, `"${where}" failed: ${reason}; nothing was changed`, [report]);
    }
    if (!this.proven) await this.setAside(reason);
    else this.lasting.push('the backup is made and proven: it counts');
    if (isCancellation(error)) {
      const report = await this.end('cancelled');
      if (report.outcome === 'stopped') throw stopped('cancelled, but this is not recorded', report);
      throw error;
    }
    const name = formatBackup(this.plan.ref);
    const what = this.proven ? `${name} is made and proven; look after "${where}" by hand` : `back up ${name} again`;
    const hint = hintOf(error);
    this.todo.unshift(`${what}: ${reason}${hint ? ` (${hint})` : ''}`);
    throw stopped(`stopped at "${where}": ${reason}`, await this.end('stopped'));
  }

  private async setAside(why: string): Promise<void> {
    const { plan } = this;
    try {
      const evidence = await persistentEffects('Keep the unproven archive aside', plan.taskQueue).setArchiveAside({
        plan,
        why,
      });
      this.lasting.push(evidence.summary);
      this.board.end('make', { state: 'undone', evidence });
    } catch (error) {
      if (!endsRun(error)) throw error;
      this.board.undoFailed('make', whatFailed(error));
      this.todo.push(`an archive in ${plan.directory} is not proven and does not count: ${reasonOf(error)}`);
    }
  }

  private async end(outcome: Outcome): Promise<RotationReport> {
    this.over = true;
    this.board.skipTheRest();
    const record = this.begun ? await this.record(outcome) : null;
    const report = this.report(record === 'failed' ? 'stopped' : outcome, record === 'failed' ? null : record);
    this.board.finish(report);
    return report;
  }

  private async record(outcome: Outcome): Promise<number | 'failed'> {
    const { plan, board, todo, gates } = this;
    board.begin('record');
    const failed = board.steps.flatMap(({ name, error }) => (error === undefined ? [] : [`${name}: ${error}`]));
    const held = plan.secrets.map(({ ref }) => ref.secret).join(', ');
    const notes = [
      `of ${held}`,
      ...(plan.note ? [remark(plan.note, LONGEST_NOTE)] : []),
      ...gates.notes,
      ...cancelledBy(outcome, gates),
      ...failed,
      ...this.lasting,
    ];
    try {
      const { sequence } = await persistentEffects(`Record: ${outcome}`).recordRotation({
        ...this.report(outcome, null),
        requestId: requestInThisRun(plan, gates.resets),
        kind: BACKUP_KIND,
        reason: 'routine',
        cadence: null,
        notes: notes.join('; '),
      });
      board.end('record', { state: 'done', evidence: { summary: `ledger row ${sequence}` } });
      return sequence;
    } catch (error) {
      if (!endsRun(error)) throw error;
      board.end('record', { state: 'failed', error: reasonOf(error) });
      todo.push(`enter this backup in the ledger: the attempt failed with ${reasonOf(error)}`);
      return 'failed';
    }
  }

  private report(outcome: Outcome, ledgerSequence: number | null): RotationReport {
    const { plan, board, gates, todo, lasting, begun } = this;
    return {
      ref: formatBackup(plan.ref),
      outcome,
      method: methodOfBackup(plan),
      operator: plan.operator,
      requestId: plan.requestId,
      startedAt: this.startedAt,
      finishedAt: new Date(Date.now()).toISOString(),
      steps: board.steps,
      refusals: [...gates.refusals],
      proof: null,
      ledgerSequence,
      nextDueAt: null,
      todo: [...todo],
      ...(lasting.length > 0 ? { lasting: [...lasting] } : {}),
      ...(outcome === 'rolled back' && !begun ? { notBegun: true as const } : {}),
    };
  }
}

function stopped(how: string, report: RotationReport): Error {
  return answer(FAILURE_TYPES.stopped, `${how}. To be done by a person: ${report.todo.join('; ')}`, [report]);
}
