/**
 * What has been seen so far in a window: numbers only, so that it can travel in a heartbeat and a new worker goes on where the
 * last one stopped, against the same baselines.
 */
export interface MonitorReading {
  readonly asked: number;
  /** Of a check: answers that were not a pass. */
  readonly failures: number;
  /** Of a counter: attempts in a row that brought no number. */
  readonly misses: number;
  /** Of a counter: how much it has risen since the baseline, restarts of the application included. */
  readonly increase: number;
  /** Of a counter: its first reading; left out until there is one. */
  readonly baseline?: number;
  readonly last?: number;
}

/** By the name of the monitor. */
export type MonitorState = Readonly<Record<string, MonitorReading>>;

const NOTHING: MonitorReading = { asked: 0, failures: 0, misses: 0, increase: 0 };

export function readingOf(state: MonitorState, name: string): MonitorReading {
  // A monitor may be called "constructor".
  return Object.hasOwn(state, name) ? (state[name] ?? NOTHING) : NOTHING;
}

/**
 * A counter only ever rises. One that went down was reset: its application restarted (a deploy does that), so what it shows now
 * has all happened since, and what it had shown before still counts.
 */
export function withCount(reading: MonitorReading, value: number): MonitorReading {
  const { baseline = value, last = value } = reading;
  const risen = value >= last ? value - last : value;
  return { ...reading, asked: reading.asked + 1, misses: 0, increase: reading.increase + risen, baseline, last: value };
}

/** After a deploy by somebody else: what the counter did in it is not held against the change, what it had risen before is. */
export function withNewBaseline({ asked, failures, increase }: MonitorReading): MonitorReading {
  return { asked, failures, misses: 0, increase };
}

export function withMiss(reading: MonitorReading): MonitorReading {
  return { ...reading, asked: reading.asked + 1, misses: reading.misses + 1 };
}

export function withAnswer(reading: MonitorReading, passed: boolean): MonitorReading {
  return { ...reading, asked: reading.asked + 1, failures: reading.failures + (passed ? 0 : 1) };
}
