import { CancelledFailure } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { activityWrapper, NotYet, type ActivityTools, type TellRun } from '../../src/activities/as-activity.js';
import { nameOfKey } from '../../src/activities/same-key.js';
import { KeyturnError } from '../../src/domain/errors.js';
import { SecretValue } from '../../src/domain/secret-value.js';

const VALUE = 'c0ffee-c0ffee-c0ffee-c0ffee-c0ffee';

async function failureOf(body: (tools: ActivityTools) => Promise<unknown>): Promise<{ failure: Error; log: string[] }> {
  const log: string[] = [];
  const asActivity = activityWrapper((level, message, fields) =>
    log.push(`${level} ${message} ${JSON.stringify(fields)}`),
  );
  const failure = await new MockActivityEnvironment().run(asActivity(body)).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  if (!failure) throw new Error('the activity did not fail');
  return { failure, log };
}

describe('a worker with another fingerprint key than the one that made the plan', () => {
  const [own, other] = [nameOfKey('k'.repeat(40)), nameOfKey('K'.repeat(40))];
  const asked = (argument: unknown): Promise<unknown> =>
    new MockActivityEnvironment().run(
      activityWrapper(() => undefined, own)((_, given: unknown) => Promise.resolve(given !== null)),
      argument,
    );

  it.each([{ fingerprintKey: other, slot: {} }, { plan: { fingerprintKey: other } }])(
    'does nothing for it, and says so: another one may',
    async (argument) => {
      await expect(asked(argument)).rejects.toMatchObject({
        type: 'another-fingerprint-key',
        nonRetryable: false,
        details: [{ effect: 'none', hint: 'give every worker the same one; until then stop the one that differs' }],
      });
    },
  );

  it.each([{ fingerprintKey: own }, { slot: {} }, undefined, 'a check'])('is no other with %j', async (argument) => {
    expect(await asked(argument)).toBe(true);
  });
});

describe('a run hears of an attempt that failed', () => {
  async function told(attempt: number, error: Error, maximumAttempts = 40): Promise<unknown[]> {
    const heard: unknown[] = [];
    const tell: TellRun = (_, failed) => Promise.resolve(void heard.push(failed));
    const asActivity = activityWrapper(() => undefined, undefined, tell);
    const info = {
      attempt,
      retryPolicy: { maximumAttempts },
      workflowExecution: { workflowId: 'rotate:a/b/C', runId: 'run' },
    };
    const body = asActivity(() => Promise.reject(error));
    await new MockActivityEnvironment(info).run(body).catch(() => undefined);
    return heard;
  }
  const again = new KeyturnError('deploy-failed', 'the script\nends with 1', { retryable: true });

  it('at the second, and each time their number has doubled, in one line', async () => {
    const attempts = [1, 2, 3, 4, 5, 6, 7, 8, 16];
    const heard = await Promise.all(attempts.map((attempt) => told(attempt, again)));
    expect(heard.flat()).toEqual([2, 4, 8, 16].map((attempt) => ({ attempt, error: 'the script ends with 1' })));
  });

  it('but not of the last, of one that is not tried again, or of one that waits', async () => {
    expect(await told(4, again, 4)).toEqual([]);
    expect(await told(2, new KeyturnError('refused', 'no', { retryable: false }))).toEqual([]);
    expect(await told(2, new NotYet('held by another', 1_000))).toEqual([]);
  });
});

describe('what leaves an activity', () => {
  it('is its domain error, as an ApplicationFailure with code, effect and hint', async () => {
    const error = new KeyturnError('not-writable', 'the file is a mount point', {
      hint: 'mount the directory',
      effect: 'none',
    });
    const { failure } = await failureOf(() => Promise.reject(error));
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: 'not-writable',
      message: 'the file is a mount point',
      nonRetryable: true,
      details: [{ effect: 'none', hint: 'mount the directory' }],
    });
  });

  it('is retryable only where the error says so', async () => {
    const { failure } = await failureOf(() => Promise.reject(new KeyturnError('busy', 'locked', { retryable: true })));
    expect(failure).toMatchObject({ nonRetryable: false });
  });

  it('never is the text of an unexpected error: that stays in the log, with values taken out', async () => {
    const value = new SecretValue(VALUE);
    const { failure, log } = await failureOf(() =>
      Promise.reject(new TypeError(`bad url postgresql://x:${value.reveal()}@y`)),
    );
    expect(JSON.stringify([failure, failure.message, failure.stack, failure.cause])).not.toContain(VALUE);
    expect(failure.message).toMatch(/^unexpected TypeError in /);
    expect(log.join()).toContain('bad url');
    expect(log.join()).not.toContain(VALUE);
  });

  it('is a cancellation when the run was cancelled, whatever the adapter made of it', async () => {
    const environment = new MockActivityEnvironment();
    const asActivity = activityWrapper(() => undefined);
    const running = environment.run(
      asActivity(
        ({ signal }) =>
          new Promise((_, refuse) => signal.addEventListener('abort', () => refuse(new Error('aborted')))),
      ),
    );
    environment.cancel();
    await expect(running).rejects.toBeInstanceOf(CancelledFailure);
  });
});

describe('the state of an attempt', () => {
  it('is heartbeated, and found again by the next one', async () => {
    const heartbeats: unknown[] = [];
    const environment = new MockActivityEnvironment({ heartbeatDetails: { deployed: 'done' } });
    environment.on('heartbeat', (details: unknown) => heartbeats.push(details));
    const asActivity = activityWrapper(() => undefined);
    const saved = await environment.run(
      asActivity(({ save, saved: earlier }) => {
        save({ deployed: 'again' });
        return Promise.resolve(earlier);
      }),
    );
    expect(saved).toEqual({ deployed: 'done' });
    expect(heartbeats).toEqual([{ deployed: 'again' }]);
  });
});
