/** Watches an application over a window after a change: authentication errors, 401/403/5xx (runbooks 001 and 002). */
import { milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { PlannedMonitor } from '../domain/specs/check.js';
import type { CheckContext } from './check.js';
import { systemClock, type Clock } from './clock.js';
import { readCounter } from './measure.js';
import {
  readingOf,
  withAnswer,
  withCount,
  withMiss,
  withNewBaseline,
  type MonitorReading,
  type MonitorState,
} from './monitor-state.js';
import { OthersDeploys, type Deploys, type DeploysSeen } from './others-deploys.js';
import { askCheck } from './run-check.js';
import { oneLine } from '../processes/safe-text.js';

export type { MonitorState };

/** One lost reading is a hiccup; three in a row are a monitor that watches nothing. */
export const MISSES_ALLOWED = 2;
/** Between the attempts at a reading that cannot wait for the next interval: the baseline, and the last one of the window. */
const RETRY_AFTER = 1_000;

export interface WatchOptions {
  /** End of the window (milliseconds since 1970): the same on every attempt, however often a worker is replaced. */
  readonly until: Date | number;
  /** What an earlier attempt, or `takeBaselines` before the change, has seen. */
  readonly baseline?: MonitorState;
  /** After every reading, with everything needed to go on from there. */
  readonly onProgress?: (state: MonitorState, others: { seen: DeploysSeen | null; paused: number }) => void;
  /** Deploys by others, which are not watched; left out: there are none. */
  readonly deploys?: Deploys;
  /** What an earlier attempt has seen of them. */
  readonly deploysSeen?: DeploysSeen;
  readonly context: CheckContext;
  readonly clock?: Clock;
}

/**
 * Asks every monitor at its own interval, at once and a last time when the window closes, so that a breach in its last seconds is
 * seen too. A counter is compared to its baseline, its first reading. A check's every failure counts; a counter that cannot be
 * read is a breach after 3 misses in a row. Changes nothing; resumable with the last state given to `onProgress`.
 * @throws KeyturnError `monitor-breached` as soon as one monitor exceeds what is allowed; when the signal aborts, its reason.
 */
export async function watchMonitors(monitors: readonly PlannedMonitor[], options: WatchOptions): Promise<Evidence> {
  const { onProgress, context, clock = systemClock } = options;
  const until = Number(options.until);
  const readings = new Map(monitors.map(({ name }) => [name, readingOf(options.baseline ?? {}, name)]));
  const enough = new AbortController();
  const inner = { ...context, signal: AbortSignal.any([context.signal, enough.signal]) };
  const others = new OthersDeploys(options.deploys, clock, inner.signal, options.deploysSeen);
  const watch = async (monitor: PlannedMonitor): Promise<void> => {
    const newBaseline = (): unknown =>
      readings.set(monitor.name, withNewBaseline(readingOf(Object.fromEntries(readings), monitor.name)));
    let deploys = await others.over();
    // Since an earlier attempt saw it last.
    if (deploys > 0) newBaseline();
    for (let final = false; ;) {
      const reading = await read(monitor, readingOf(Object.fromEntries(readings), monitor.name), inner);
      const before = deploys;
      deploys = await others.over();
      if (deploys !== before) {
        newBaseline();
        continue;
      }
      readings.set(monitor.name, reading.now);
      onProgress?.(Object.fromEntries(readings), { seen: others.soFar, paused: others.paused });
      refuseBreach(monitor, reading, others.inWords);
      if (final && reading.now.misses === 0) return;
      const pause = final || lacksBaseline(monitor, reading.now) ? RETRY_AFTER : untilNext(monitor);
      if (pause > 0) await clock.sleep(pause, inner.signal);
      // A timer may come a millisecond early by the clock: that is no reading more.
      final = clock.now() + 1 >= until + others.paused;
    }
  };
  const untilNext = (monitor: PlannedMonitor): number =>
    Math.min(milliseconds(monitor.every), until + others.paused - clock.now());
  try {
    await Promise.all(
      monitors.map((monitor) =>
        watch(monitor).catch((error: unknown) => {
          // The first breach is the answer; the others need not be waited for.
          enough.abort(error);
          throw error;
        }),
      ),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    throw error;
  }
  const { summary, facts } = evidence(monitors, readings);
  return others.inWords === ''
    ? { summary, ...(facts ? { facts } : {}) }
    : { summary: oneLine(`${summary}; ${others.inWords}`), ...(facts ? { facts } : {}) };
}

/**
 * First readings of all counters, for windows that open with a change: taken before it, nothing that the change causes is missed.
 * @throws KeyturnError `monitor-breached` for a counter that cannot be read 3 times in a row.
 */
export async function takeBaselines(
  monitors: readonly PlannedMonitor[],
  context: CheckContext,
  clock: Clock = systemClock,
): Promise<MonitorState> {
  const state: Record<string, MonitorReading> = {};
  for (const monitor of monitors) {
    if (monitor.type !== 'counter') continue;
    let reading = await read(monitor, readingOf({}, monitor.name), context);
    while (reading.now.misses > 0) {
      refuseBreach(monitor, reading);
      await clock.sleep(RETRY_AFTER, context.signal);
      reading = await read(monitor, reading.now, context);
    }
    state[monitor.name] = reading.now;
  }
  return state;
}

interface Reading {
  readonly now: MonitorReading;
  /** What went wrong this time; empty when nothing did. */
  readonly trouble: string;
}

async function read(monitor: PlannedMonitor, before: MonitorReading, context: CheckContext): Promise<Reading> {
  if (monitor.type === 'check') {
    const answer = await askCheck(monitor.check, context);
    return { now: withAnswer(before, answer.passed), trouble: answer.passed ? '' : answer.summary };
  }
  try {
    return { now: withCount(before, await readCounter(monitor.measure, context)), trouble: '' };
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { now: withMiss(before), trouble: error.message };
  }
}

/** A baseline taken an interval late would hide what happened until then. */
function lacksBaseline(monitor: PlannedMonitor, now: MonitorReading): boolean {
  return monitor.type === 'counter' && now.baseline === undefined;
}

/** With a deploy by somebody else in the same window nobody knows which of the two it was: it is said, and each goes back once. */
function refuseBreach(monitor: PlannedMonitor, { now, trouble }: Reading, others = ''): void {
  const why = breach(monitor, now);
  if (why === null) return;
  throw new KeyturnError('monitor-breached', oneLine(`${monitor.name} ${why}${trouble ? `: ${trouble}` : ''}`), {
    hint:
      others === ''
        ? 'the change is the likeliest cause: look at what the application refuses since then'
        : `${others}: which of the changes is the cause is not known; look at what the application refuses since then`,
  });
}

function breach(monitor: PlannedMonitor, now: MonitorReading): string | null {
  if (monitor.type === 'check') {
    if (now.failures <= monitor.failuresAllowed) return null;
    return `failed ${now.failures} of ${now.asked} times, ${monitor.failuresAllowed} allowed`;
  }
  if (now.misses > MISSES_ALLOWED) return `could not be read ${now.misses} times in a row`;
  if (now.increase <= monitor.maximumIncrease) return null;
  const [first, last] = [now.baseline ?? 0, now.last ?? 0];
  return `rose by ${now.increase} (baseline ${first}, now ${last}), ${monitor.maximumIncrease} allowed`;
}

function evidence(monitors: readonly PlannedMonitor[], readings: ReadonlyMap<string, MonitorReading>): Evidence {
  const facts: Record<string, number> = {};
  const words: string[] = [];
  for (const monitor of monitors) {
    const reading = readings.get(monitor.name);
    if (!reading) continue;
    facts[`${monitor.name}.asked`] = reading.asked;
    if (monitor.type === 'check') {
      facts[`${monitor.name}.failures`] = reading.failures;
      words.push(`${monitor.name} failed ${reading.failures} of ${reading.asked} times`);
    } else {
      facts[`${monitor.name}.baseline`] = reading.baseline ?? 0;
      facts[`${monitor.name}.increase`] = reading.increase;
      words.push(`${monitor.name} rose by ${reading.increase} of ${monitor.maximumIncrease} allowed`);
    }
  }
  return { summary: oneLine(words.length > 0 ? words.join('; ') : 'nothing to watch'), facts };
}
