/** Whether a run has been reset (`temporal workflow reset`), and which part of its history it is in. */
import { CancellationScope, condition, workflowInfo } from '@temporalio/workflow';
import { maybeGetActivator } from '@temporalio/workflow/lib/global-attributes.js';

/**
 * As the run began with it. Read while the workflow's modules are loaded, each run's own: when a run is reset to its very beginning,
 * the seed has changed before its function is called.
 */
const ORIGINAL = seed();

/**
 * A reset run first replays its history up to the reset, and must come to the same there: what people had decided counts, and what
 * was undone is undone in the same way. Only after that is it another run. So its id, which is new from the beginning, does not do:
 * the server marks the place in the history by a new seed for random numbers, which replays as it was. The SDK has no public name for
 * it; its own interceptors look at the activator too.
 */
export class Resets {
  /** The newest reset: what marks it, and how long the history was in the activation in which the run came to it. */
  private newest: { readonly seed: string; readonly historyLength: number } | null = null;

  /** First thing in a workflow: whenever the run wakes up, it looks whether it has been reset. */
  watch(): void {
    const looked = (): boolean => {
      this.look();
      return false;
    };
    void CancellationScope.nonCancellable(() => condition(looked)).catch(() => undefined);
    this.look();
  }

  /** From the moment of the reset on, and not while the run replays what was before it. */
  get happened(): boolean {
    return seed() !== ORIGINAL;
  }

  /**
   * What was sent to the run after the place of the reset is sent to it again, together with the reset, so in the activation in
   * which the run comes to that place. Nothing that arrives then counts.
   */
  get now(): boolean {
    this.look();
    return this.newest !== null && this.newest.historyLength === workflowInfo().historyLength;
  }

  /**
   * Twelve characters: differ between two runs, and within a run before and after a reset. The end of an id, since Temporal's ids
   * begin with the time (UUID version 7): runs of one minute begin alike.
   */
  get part(): string {
    return (this.happened ? seed() : workflowInfo().originalExecutionRunId).slice(-12);
  }

  /** An update's validator may call it, which is not replayed: it finds what `watch` finds in the same activation. */
  private look(): void {
    if (this.happened && this.newest?.seed !== seed())
      this.newest = { seed: seed(), historyLength: workflowInfo().historyLength };
  }
}

/** Hexadecimal; empty where no workflow runs. */
function seed(): string {
  const bytes = maybeGetActivator()?.randomnessSeed ?? [];
  return bytes.map((byte) => (byte & 0xff).toString(16).padStart(2, '0')).join('');
}
