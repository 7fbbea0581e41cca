/** What must hold for every deployer. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Deployer } from '../../src/deployers/deployer.js';
import { KeyturnError } from '../../src/domain/errors.js';

export interface DeployerFixture {
  /** A deployer whose service takes over what `set` has put in its store. */
  readonly working: Deployer;
  set(value: string): Promise<void>;
  /** What the running service uses now. */
  deployed(): Promise<string>;
  runs(): Promise<boolean>;
  /** Its tool, directory or engine is missing. */
  readonly unavailable: Deployer;
  /** Passes its preflight, fails when it deploys, and its tool or its service repeats the planted values. */
  readonly failing: Deployer;
  readonly planted: readonly string[];
  /** Would need a minute. */
  readonly slow: Deployer;
}

export function deployerContract(type: string, open: () => Promise<DeployerFixture>): void {
  describe(`a deployer of type ${type}`, () => {
    let fixture: DeployerFixture;
    beforeAll(async () => {
      fixture = await open();
    });
    const never = new AbortController().signal;

    test('makes the service use what the store holds', async () => {
      await fixture.set('first-value-aaaaaaaa');
      await fixture.working.deploy(never);
      await expect.poll(() => fixture.deployed(), { timeout: 30_000 }).toBe('first-value-aaaaaaaa');
      await fixture.set('second-value-bbbbbbbb');
      await fixture.working.deploy(never);
      await expect.poll(() => fixture.deployed(), { timeout: 30_000 }).toBe('second-value-bbbbbbbb');
    });

    test('twice ends as once', async () => {
      await fixture.working.deploy(never);
      const before = await fixture.deployed();
      await fixture.working.deploy(never);
      await expect.poll(() => fixture.deployed(), { timeout: 30_000 }).toBe(before);
    });

    test('what is stopped runs no more, twice is as once, and the next deploy starts it again', async () => {
      await fixture.working.deploy(never);
      await expect.poll(() => fixture.runs(), { timeout: 30_000 }).toBe(true);
      expect(fixture.working.stopping).not.toBeNull();
      await fixture.working.stop(never);
      expect(await fixture.runs()).toBe(false);
      await fixture.working.stop(never);
      expect(await fixture.runs()).toBe(false);
      await fixture.set('after-the-stop-dddddddd');
      await fixture.working.deploy(never);
      await expect.poll(() => fixture.deployed(), { timeout: 30_000 }).toBe('after-the-stop-dddddddd');
    });

    test('preflight changes nothing', async () => {
      const before = await fixture.deployed();
      await fixture.set('third-value-cccccccc');
      const { summary } = await fixture.working.preflight(never);
      expect(summary.length).toBeGreaterThan(0);
      expect(await fixture.deployed()).toBe(before);
    });

    test('preflight finds what is missing and hints at what to do', async () => {
      const error = await failure(fixture.unavailable.preflight(never));
      expect(error).toMatchObject({ code: 'deployer-unavailable', effect: 'none' });
      expect(error.hint).toBeDefined();
    });

    test('a failed deploy may be tried again, and may have changed something', async () => {
      await fixture.failing.preflight(never);
      const error = await failure(fixture.failing.deploy(never));
      expect(error).toMatchObject({ code: 'deploy-failed', effect: 'unknown', retryable: true });
    });

    test('neither failure nor diagnosis repeats a value', async () => {
      const error = await failure(fixture.failing.deploy(never));
      const diagnosis = await fixture.failing.diagnose(never);
      for (const value of fixture.planted) {
        expect(`${error.message} ${error.hint ?? ''} ${JSON.stringify(error)} ${String(error.stack)}`).not.toContain(
          value,
        );
        expect(error.cause).toBeUndefined();
        expect(diagnosis).not.toContain(value);
      }
    });

    test('a diagnosis is bounded and never throws', async () => {
      for (const deployer of [fixture.working, fixture.failing, fixture.unavailable]) {
        const diagnosis = await deployer.diagnose(never);
        expect(diagnosis.length).toBeGreaterThan(0);
        expect(diagnosis.length).toBeLessThan(40_000);
      }
      await expect(fixture.working.diagnose(AbortSignal.abort(new Error('cancelled')))).resolves.toBeTypeOf('string');
    });

    test('an abort ends the tool, with the reason of the abort', async () => {
      const controller = new AbortController();
      const reason = new Error('cancelled');
      const deploying = fixture.slow.deploy(controller.signal);
      setTimeout(() => controller.abort(reason), 500);
      const started = performance.now();
      await expect(deploying).rejects.toBe(reason);
      expect(performance.now() - started).toBeLessThan(30_000);
    });
  });
}

async function failure(promise: Promise<unknown>): Promise<KeyturnError> {
  const error: unknown = await promise.then(
    () => new Error('expected a failure'),
    (reason: unknown) => reason,
  );
  if (error instanceof KeyturnError) return error;
  throw error;
}
