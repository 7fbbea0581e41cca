/** How far a cancellation reaches into a run: to its end, or until what it does can no longer be taken back. */
import { CancellationScope } from '@temporalio/workflow';

/** What runs in it is cancelled with the run, until it is shielded. Made in a scope that is itself not cancelled with the run. */
export class Cancellable {
  private readonly scope = new CancellationScope();
  private shielded = false;

  /** @param run the scope that is cancelled with the run. */
  constructor(private readonly run: CancellationScope) {
    void run.cancelRequested.catch(() => {
      if (!this.shielded) this.scope.cancel();
    });
  }

  async carryOut<T>(body: () => Promise<T>): Promise<T> {
    return await this.scope.run(body);
  }

  get happened(): boolean {
    return this.run.consideredCancelled;
  }

  /** The cancellation itself, which says what was cancelled. */
  async cause(): Promise<Error> {
    try {
      return await this.run.cancelRequested;
    } catch (error) {
      return error as Error;
    }
  }

  /**
   * What follows is not cancelled any more. Unless it was by now: a step that was under way may have been done all the same, and said
   * so, and nothing would look at the cancellation again. @throws CancelledFailure then.
   */
  async shield(): Promise<void> {
    if (this.shielded) return;
    if (this.happened) throw await this.cause();
    this.shielded = true;
  }
}
