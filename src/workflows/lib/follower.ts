/** An environment's run as one of several: it says that it is well, and waits for the word of the run that leads (waves.ts). */
import { condition, getExternalWorkflowHandle, isCancellation, setHandler, uuid4 } from '@temporalio/workflow';
import { ABORT } from '../../domain/messages.js';
import { parseVerdict } from '../../domain/wave-messages.js';
import { effects } from './activities.js';
import { Aborted, endsRun } from './failures.js';
import type { Gatekeeper } from './gatekeeper.js';
import { ignoreGone } from './pass-on.js';
import type { Run } from './run.js';
import type { Steering } from './steering.js';
import { verdictSignal, wellSignal, type Word } from './wave-signals.js';

/** A leader that was terminated cannot say anything; its followers look after it, ever less often. */
const FIRST_LOOK_MS = 10 * 60_000;
const RAREST_LOOK_MS = 6 * 3_600_000;

/** A verdict is the answer to its "well": one that comes unasked counts for nothing. */
export class Follower {
  private verdict: Word | null = null;
  /** null: it has not asked yet. */
  private nonce: string | null = null;

  /** @param leader workflow id; null: this run is on its own. */
  constructor(
    private readonly leader: string | null,
    private readonly ref: string,
    gates: Gatekeeper,
  ) {
    setHandler(
      verdictSignal,
      (input: unknown) => {
        const reason = this.take(input);
        if (reason !== null) gates.refuse(`waveVerdict refused: ${reason}`);
      },
      { description: 'From the run that leads through the environments, not for people' },
    );
  }

  /** Waits until the other environments are well too. @throws Aborted when one is not, or somebody wants to go back. */
  async everybodyIsWell(run: Run<'others'>, steering: Steering): Promise<void> {
    const { leader, ref } = this;
    if (leader === null) return;
    const { board } = run;
    await run.step('others', async () => {
      const nonce = uuid4();
      this.nonce = nonce;
      const wait = steering.listen([ABORT]);
      const over = (): boolean => this.verdict !== null || wait.asked !== null;
      board.maySteer([ABORT]);
      try {
        for (let look = FIRST_LOOK_MS; !over(); look = Math.min(look * 2, RAREST_LOOK_MS)) {
          // Said again at each look: should the leader have lost it, or its answer, it answers now.
          await getExternalWorkflowHandle(leader).signal(wellSignal, { ref, nonce }).catch(ignoreGone);
          if (await condition(over, look)) break;
          if (await isGone(leader))
            this.verdict ??= { goOn: true, why: 'the leading run is gone; this environment goes on by itself' };
        }
      } finally {
        steering.close();
        board.maySteer([]);
      }
      if (wait.asked) throw new Aborted(`aborted by ${wait.asked.by}`);
      if (this.verdict && !this.verdict.goOn) throw new Aborted(this.verdict.why);
      return { summary: this.verdict?.why ?? '' };
    });
  }

  /** @returns why it does not count; null when it does. Never throws: that would fail the run, or stall it. */
  private take(input: unknown): string | null {
    if (this.leader === null) return 'no other run leads this one';
    const verdict = parseVerdict(input);
    if (!verdict) return 'it is none; it comes from the leading run, not from people';
    if (this.nonce === null) return 'this environment has not said yet that it is well';
    if (!verdict.nonces.includes(this.nonce)) return 'it does not answer what this run said to the one that leads it';
    // The leader answers each "well", also one that was said again.
    if (this.verdict && this.verdict.goOn !== verdict.goOn) return 'this run goes by another one already';
    this.verdict ??= verdict;
    return null;
  }
}

/** Not being able to ask says nothing about the leader, and is no reason to turn a well environment back: it is asked again later. */
async function isGone(leader: string): Promise<boolean> {
  try {
    return (await effects('Does the leading run still run?').findHolder(leader)) === null;
  } catch (error) {
    if (isCancellation(error) || !endsRun(error)) throw error;
    return false;
  }
}
