/** Whether a run has been reset (`temporal workflow reset`), and which part of its history it is in. */
import { workflowInfo } from '@temporalio/workflow';
import { getActivator } from '@temporalio/workflow/lib/global-attributes.js';

/**
 * A reset run first replays its history up to the reset, and must come to the same there: what people had decided counts, and what
 * was undone is undone in the same way. Only after that is it another run. So its id, which is new from the beginning, does not do:
 * the server marks the place in the history by a new seed for random numbers, which replays as it was. The SDK has no public name for
 * it; its own interceptors look at the activator too.
 *
 * To be made before a workflow does anything else.
 */
export class Resets {
  private readonly first = seed();

  /** From the moment of the reset on, and not while the run replays what was before it. */
  get happened(): boolean {
    return seed() !== this.first;
  }

  /**
   * Twelve characters: differ between two runs, and within a run before and after a reset. The end of an id, since Temporal's ids
   * begin with the time (UUID version 7): runs of one minute begin alike.
   */
  get part(): string {
    return (this.happened ? seed() : workflowInfo().originalExecutionRunId).slice(-12);
  }
}

function seed(): string {
  return getActivator()
    .randomnessSeed.map((byte) => (byte & 0xff).toString(16).padStart(2, '0'))
    .join('');
}
