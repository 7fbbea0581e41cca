/** How many requests were answered in each second: constant load is a claim, and this is its measurement. */

export interface Rate {
  /** Whole seconds since the traffic flows. */
  readonly seconds: number;
  /** Requests a second over these. */
  readonly average: number;
  /** In the second with the fewest. */
  readonly lowest: number;
}

export class Pace {
  #startedAt: number | null = null;
  #endedAt: number | null = null;
  /** One number a second: a day is 86,400 of them. */
  readonly #seconds: number[] = [];

  begin(): void {
    this.#startedAt ??= performance.now();
  }

  end(): void {
    this.#endedAt ??= performance.now();
  }

  count(): void {
    if (this.#startedAt === null) return;
    const second = Math.floor((performance.now() - this.#startedAt) / 1_000);
    this.#seconds[second] = (this.#seconds[second] ?? 0) + 1;
  }

  /** Zeros before the first whole second is over. */
  rate(): Rate {
    if (this.#startedAt === null) return { seconds: 0, average: 0, lowest: 0 };
    const seconds = Math.floor(((this.#endedAt ?? performance.now()) - this.#startedAt) / 1_000);
    if (seconds === 0) return { seconds, average: 0, lowest: 0 };
    const whole = Array.from({ length: seconds }, (_, second) => this.#seconds[second] ?? 0);
    const total = whole.reduce((sum, count) => sum + count, 0);
    const lowest = whole.reduce((least, count) => Math.min(least, count), Infinity);
    return { seconds, average: total / seconds, lowest };
  }
}
