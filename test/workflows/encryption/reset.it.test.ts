/** A rotation that is reset does not know what it had come to: whatever becomes of it, every row keeps a key that reads it. */
import { ApplicationFailure } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endOf } from '../support/end-of.js';
import { pictureOf } from './support/picture.js';
import { Stage } from './support/stage.js';
import { sampled } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const failed = (): never => {
  throw ApplicationFailure.nonRetryable('failed for good', 'test-failure');
};

describe('a run that is reset to before its first row, and then refused, keeps the key that its rows are under:', () => {
  const cases = [
    ['atomic, with the services still stopped', 'atomic', 'arrangeSecret 1'],
    ['atomic, with the services on the new key', 'atomic', 'runChecks 1'],
    ['online', 'online', 'readRows 1'],
  ] as const;
  it.each(sampled(cases, 1))('%s', async (_, mode, reached) => {
    const system = await stage.system({ mode, gates: ['promote'] });
    try {
      const first = await stage.start(system);
      const again = await new Promise<WorkflowHandle>((done, fail) => {
        system.faults.set(reached, async () => {
          await stage.reset(first, 'stageKey').then(done, fail);
          return failed();
        });
        void stage.approve(first, 'promote').catch(fail);
      });
      const before = await pictureOf(system);
      await stage.reject(again, 'promote');
      expect(await endOf(again)).toMatch(/^stopped.*this run was reset and has undone nothing/);
      expect(await pictureOf(system)).toEqual(before);

      const next = await stage.start(system);
      await stage.approve(next, 'promote');
      expect(await endOf(next)).toBe('completed');
      expect(await pictureOf(system)).toMatchObject({ rows: 'all there', underOld: 0, files: ['.env'], runs: true });
    } finally {
      await stage.remove(system);
    }
  });
});

it('online: a run that is reset to its very beginning and fails there leaves rows, keys and services as they are', async () => {
  const system = await stage.system({ mode: 'online' });
  try {
    const first = await stage.start(system);
    const again = await new Promise<WorkflowHandle>((done, fail) => {
      system.faults.set('readRows 1', async () => {
        await stage.reset(first, 'the beginning').then(done, fail);
        return failed();
      });
      system.faults.set('deployService 3', failed);
    });
    expect(await endOf(again)).toMatch(/^stopped.*this run was reset and has undone nothing/);
    expect(await pictureOf(system)).toMatchObject({ runs: true, health: 'well' });
    expect(await endOf(await stage.start(system))).toBe('completed');
    expect(await pictureOf(system)).toMatchObject({ rows: 'all there', underOld: 0, files: ['.env'], health: 'well' });
  } finally {
    await stage.remove(system);
  }
});
