/** What must hold for every type of check. */
import { beforeAll, describe, expect, test } from 'vitest';
import { askCheck } from '../../src/checks/run-check.js';
import type { PlannedCheck } from '../../src/domain/specs/check.js';
import { contextWith } from '../checks/contexts.js';
import { goesOn } from '../support/meanwhile.js';

export interface CheckFixture {
  readonly passing: PlannedCheck;
  readonly failing: PlannedCheck;
  /** Cannot be asked: nobody there, no such program. */
  readonly unaskable: PlannedCheck;
  /** Would need longer than its `timeout` of at most a second. */
  readonly slow: PlannedCheck;
  /** Would need several seconds, and may. */
  readonly patient: PlannedCheck;
  /** Fails in a world that repeats these values. */
  readonly leaking: PlannedCheck;
  readonly planted: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

export function checkContract(type: PlannedCheck['type'], open: () => Promise<CheckFixture>): void {
  describe(`a check of type ${type}`, () => {
    let fixture: CheckFixture;
    beforeAll(async () => {
      fixture = await open();
    });
    const ask = (check: PlannedCheck, signal?: AbortSignal) => askCheck(check, contextWith(fixture.variables, signal));

    test('passes when the world is as expected', async () => {
      expect(await ask(fixture.passing)).toMatchObject({ passed: true });
    });

    test('answers "no" when it is not', async () => {
      expect(await ask(fixture.failing)).toMatchObject({ passed: false });
    });

    test('answers "no" when it cannot be asked', async () => {
      expect(await ask(fixture.unaskable)).toMatchObject({ passed: false });
    });

    test('answers "no" when its time is up', async () => {
      const started = performance.now();
      expect(await ask(fixture.slow)).toMatchObject({ passed: false });
      expect(performance.now() - started).toBeLessThan(20_000);
    });

    test('says what it saw in one line of at most 300 characters', async () => {
      for (const check of [fixture.passing, fixture.failing, fixture.unaskable, fixture.slow, fixture.leaking]) {
        const { summary } = await ask(check);
        expect(summary.length).toBeGreaterThan(0);
        expect(summary.length).toBeLessThanOrEqual(300);
        expect(summary).not.toMatch(/[\r\n]/);
      }
    });

    test('shows nothing of a value that the world repeats', async () => {
      const { passed, summary } = await ask(fixture.leaking);
      expect(passed).toBe(false);
      for (const value of fixture.planted) expect(summary).not.toContain(value);
    });

    test('an abort breaks the question off at once, with the reason of the abort', async () => {
      const controller = new AbortController();
      const asked = ask(fixture.patient, controller.signal);
      await goesOn(asked, 150);
      const reason = new Error('cancelled');
      const aborted = performance.now();
      controller.abort(reason);
      await expect(asked).rejects.toBe(reason);
      expect(performance.now() - aborted).toBeLessThan(20_000);
    });

    test('is not asked at all after an abort', async () => {
      const reason = new Error('cancelled');
      await expect(ask(fixture.passing, AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}
