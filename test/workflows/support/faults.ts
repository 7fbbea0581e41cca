/** Disturbances of activities: what a worker that dies, a network that loses an answer, or a person who cancels do to a step. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

export type Body = () => Promise<unknown>;

/** @param attempt of this call, from 1. */
export type Fault = (attempt: number, body: Body) => Promise<unknown>;

/** The worker died before the step had any effect. */
export const crashedBefore: Fault = async (attempt, body) => {
  if (attempt === 1) throw new Error('crashed before its effect');
  return await body();
};

/** The step had its effect, and nobody heard of it. */
export const answerLost: Fault = async (attempt, body) => {
  const answer = await settled(body);
  if (attempt === 1) throw new Error('the answer was lost');
  return answer();
};

/** The step is refused for good, and had no effect. */
export const failedBefore: Fault = () => {
  throw ApplicationFailure.create({
    type: 'test-failure',
    message: 'failed for good, without an effect',
    nonRetryable: true,
    details: [{ effect: 'none', hint: null, diagnosis: null }],
  });
};

/** The step has its effect, and is then found to have failed for good. */
export const failedAfter: Fault = async (_, body) => {
  await body();
  throw ApplicationFailure.nonRetryable('failed for good, with its effect', 'test-failure');
};

/** The run is cancelled, and the step comes to rest without having had an effect. */
export function cancelledBefore(cancel: () => Promise<unknown>): Fault {
  return async () => {
    await cancel();
    return await untilCancelled();
  };
}

/** The step has its effect, then the run is cancelled; the step says that it was cancelled. */
export function cancelledAfter(cancel: () => Promise<unknown>): Fault {
  return async (_, body) => {
    await settled(body);
    await cancel();
    return await untilCancelled();
  };
}

/** The run is cancelled, but the step is done all the same, and says so. */
export function doneAllTheSame(cancel: () => Promise<unknown>): Fault {
  return async (_, body) => {
    const answer = await settled(body);
    await cancel();
    await untilCancelled().catch(() => undefined);
    return answer();
  };
}

/** The run is cancelled where cancelling no longer counts. */
export function cancelledTooLate(cancel: () => Promise<unknown>): Fault {
  return async (attempt, body) => {
    if (attempt === 1) await cancel();
    return await body();
  };
}

/** The worker is busy with the step, which has had its effect, for as long as it takes. */
export class Held {
  readonly reached: Promise<void>;
  release: () => void = () => undefined;
  private arrive: () => void = () => undefined;
  private readonly released: Promise<void>;

  constructor() {
    this.reached = new Promise((done) => (this.arrive = done));
    this.released = new Promise((done) => (this.release = done));
  }

  readonly fault: Fault = async (_, body) => {
    const answer = await settled(body);
    this.arrive();
    await beating(this.released);
    return answer();
  };
}

async function settled(body: Body): Promise<() => unknown> {
  try {
    const result = await body();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

async function untilCancelled(): Promise<never> {
  return await beating(Context.current().cancelled);
}

async function beating<T>(waiting: Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  try {
    return await waiting;
  } finally {
    clearInterval(beat);
  }
}

/** Who waits for a service longer goes first: where that cannot be found out, the run goes on, under the lock as ever. */
export function goesOnWithout(call: string): boolean {
  return call.startsWith('findAhead ');
}
