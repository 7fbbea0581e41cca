/**
 * Deploys by other runs while something is watched: what is read then says nothing about the change that is watched. The watch
 * pauses, takes a new baseline and goes on; the pause does not count.
 */
import { formatMilliseconds } from '../domain/durations.js';
import type { Clock } from './clock.js';

export interface Deploys {
  /** `by`: who deploys it now; null: nobody. `mark` differs from before whenever somebody has begun since. */
  look(): Promise<{ readonly by: string | null; readonly mark: string }>;
}

/** What an attempt that takes over needs to know. */
export interface DeploysSeen {
  readonly mark: string;
  readonly by: readonly string[];
}

const LOOK_EVERY_MS = 500;
/** Names in the evidence. */
const NAMED = 10;

export class OthersDeploys {
  /** Milliseconds of this attempt in which nothing was watched. */
  paused = 0;
  private count = 0;
  private seen: DeploysSeen | null;
  private looking: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly deploys: Deploys | undefined,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
    earlier: DeploysSeen | null = null,
  ) {
    this.seen = earlier;
  }

  get soFar(): DeploysSeen | null {
    return this.seen;
  }

  /** Comes back when nobody deploys. @returns how many deploys there have been: what was read between two different numbers does not count. */
  async over(): Promise<number> {
    // One after the other: a look that began before the reading ended may have missed what disturbed it.
    const look = this.looking.then(() => this.look());
    this.looking = look.catch(() => undefined);
    return await look;
  }

  /** For people; empty when there were none. */
  get inWords(): string {
    const by = this.seen?.by ?? [];
    if (by.length === 0) return '';
    const paused = this.paused > 0 ? `, paused for ${formatMilliseconds(this.paused)}` : '';
    return `deployed meanwhile by ${by.join(', ')}${paused}`;
  }

  private async look(): Promise<number> {
    if (!this.deploys) return 0;
    for (;;) {
      const { by, mark } = await this.deploys.look();
      if (this.seen && mark !== this.seen.mark) this.count += 1;
      this.seen = { mark, by: this.named(by) };
      if (by === null) return this.count;
      const begun = this.clock.now();
      await this.clock.sleep(LOOK_EVERY_MS, this.signal);
      this.paused += this.clock.now() - begun;
    }
  }

  private named(by: string | null): readonly string[] {
    const known = this.seen?.by ?? [];
    return by === null || known.includes(by) || known.length >= NAMED ? known : [...known, by];
  }
}
