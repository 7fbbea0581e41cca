/**
 * An undo that fails again and again. People are asked with the reason: once more now, go on without it, or stop here. While nobody
 * answers it is tried again at growing intervals.
 */
import { condition } from '@temporalio/workflow';
import { ActivityFailure, RetryState } from '@temporalio/common';
import type { Evidence } from '../../domain/evidence.js';
import { GO_ON_WITHOUT, STOP_HERE, UNDOING } from '../../domain/messages.js';
import type { Course } from './course.js';
import { reasonOf } from './failures.js';

const FIRST_PAUSE_MS = 15_000;
/** Some four times a day for as long as nobody answers: a history stays short. */
const LONGEST_PAUSE_MS = 6 * 3_600_000;

/** @returns null: people go on without it. @throws what the undo throws, when it is not to be tried again. */
export async function untilUndone(
  course: Course,
  step: string,
  undo: () => Promise<Evidence>,
): Promise<Evidence | { goneOnWithout: string; why: Error }> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await undo();
    } catch (error) {
      if (!isOutOfAttempts(error)) throw error;
      const asked = await ask(course, step, error, pause);
      if (asked?.steer === STOP_HERE) throw error;
      if (asked?.steer === GO_ON_WITHOUT) return { goneOnWithout: asked.by, why: error };
    }
  }
}

/** The server has given up, not the activity: another attempt may well do it. */
function isOutOfAttempts(error: unknown): error is ActivityFailure {
  return (
    error instanceof ActivityFailure &&
    (error.retryState === RetryState.MAXIMUM_ATTEMPTS_REACHED || error.retryState === RetryState.TIMEOUT)
  );
}

async function ask({ board, steering, services }: Course, step: string, error: Error, pause: number) {
  // People may take hours; a response to a leak must not wait for them.
  await services.release();
  const title = board.titleOf(step);
  const until = new Date(Date.now() + pause).toISOString();
  const wait = steering.listen(UNDOING, Date.parse(until));
  board.maySteer(UNDOING);
  board.waitsUntil(`Undoing "${title}" fails: ${reasonOf(error)}. It is tried again then`, until);
  try {
    const summary = `Undoing "${title}" fails; tried again at ${until}`.slice(0, 190);
    await condition(() => wait.asked !== null, pause, { summary });
    return wait.asked;
  } finally {
    steering.close();
    board.maySteer([]);
    board.waitsUntil(null);
    board.setPhase('undoing');
  }
}
