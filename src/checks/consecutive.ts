/** A service is well when its check passes several times in a row: one good answer may come from the instance that is leaving. */
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { Evidence } from '../domain/evidence.js';
import type { PlannedCheck } from '../domain/specs/check.js';
import type { CheckAnswer, CheckContext } from './check.js';
import { LONGEST_TIMER, systemClock, type Clock } from './clock.js';
import { askCheck } from './run-check.js';
import { oneLine } from '../processes/safe-text.js';

export interface ConsecutiveProgress {
  readonly check: string;
  readonly asked: number;
  /** Passes in a row so far, of `needed`. */
  readonly passed: number;
  readonly needed: number;
  readonly summary: string;
}

export interface ConsecutiveOptions {
  /** Called after every answer, so that an activity can heartbeat. */
  readonly onProgress?: (progress: ConsecutiveProgress) => void;
  readonly clock?: Clock;
}

/**
 * Asks `every` so often until the check has passed `passes` times in a row, all of it `within` a time. Failures before the first
 * pass are patience: the service is starting. Changes nothing by itself, so a repeated call simply starts counting again.
 * @throws KeyturnError `check-flapping` on a failure after a pass (design: a flapping check is a failure); `check-failed` when time
 * is up. Both carry the last summary and are not retryable: the patience was `within`. When `context.signal` aborts, its reason, at once.
 */
export async function passConsecutively(
  check: PlannedCheck,
  context: CheckContext,
  { onProgress, clock = systemClock }: ConsecutiveOptions = {},
): Promise<Evidence> {
  const started = clock.now();
  const deadline = started + milliseconds(check.within);
  const every = milliseconds(check.every);
  let asked = 0;
  let passed = 0;
  let last = 'was never answered';
  while (clock.now() < deadline) {
    const answer = await askUntil(check, context, deadline - clock.now());
    if (!answer) break;
    asked += 1;
    last = answer.summary;
    if (!answer.passed && passed > 0) throw flapping(check, passed, last);
    if (answer.passed) passed += 1;
    onProgress?.({ check: check.name, asked, passed, needed: check.passes, summary: last });
    if (passed === check.passes) return evidence(check, asked, clock.now() - started, last);
    await clock.sleep(Math.min(every, Math.max(0, deadline - clock.now())), context.signal);
  }
  throw failed(check, passed, last);
}

/** @returns null when the time was up before the answer came. */
async function askUntil(check: PlannedCheck, context: CheckContext, remaining: number): Promise<CheckAnswer | null> {
  const timeUp = AbortSignal.timeout(Math.min(remaining, LONGEST_TIMER));
  try {
    return await askCheck(check, { ...context, signal: AbortSignal.any([context.signal, timeUp]) });
  } catch (error) {
    context.signal.throwIfAborted();
    if (timeUp.aborted) return null;
    throw error;
  }
}

function evidence(check: PlannedCheck, asked: number, took: number, last: string): Evidence {
  const times = check.passes === 1 ? 'once' : `${check.passes} times in a row`;
  const waited = asked > check.passes ? `, after ${asked - check.passes} failed attempts` : '';
  return {
    summary: oneLine(`${check.name} passed ${times} in ${formatMilliseconds(took)}${waited}: ${last}`),
    facts: { check: check.name, passes: check.passes, asked, durationMs: Math.round(took) },
  };
}

function flapping(check: PlannedCheck, passed: number, last: string): KeyturnError {
  return new KeyturnError(
    'check-flapping',
    oneLine(`${check.name} passed ${times(passed)} and then failed: ${last}`, 400),
    {
      hint: 'a service that is well stays well: look at its logs before trying again',
    },
  );
}

function failed(check: PlannedCheck, passed: number, last: string): KeyturnError {
  const so = passed === 0 ? 'did not pass' : `passed only ${times(passed)} of ${check.passes}`;
  return new KeyturnError('check-failed', oneLine(`${check.name} ${so} within ${check.within}: ${last}`, 400), {
    hint: 'look at the logs of the service, or give it more time with "within"',
  });
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
