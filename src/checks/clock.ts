import { setTimeout as sleepFor } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** @throws the signal's reason as soon as it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Node's timers fire at once when asked to wait longer than this (24.8 days). */
export const LONGEST_TIMER = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    signal.throwIfAborted();
    try {
      await sleepFor(Math.min(milliseconds, LONGEST_TIMER), undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  },
};
