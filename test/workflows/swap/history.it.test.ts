/** A day of watching who is on the old role costs no events: an attempt that finds nothing new writes none. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { DROP_NOW } from '../../../src/domain/messages.js';
import { carriedOut } from './support/runs.js';
import { KEEPS } from './support/scenarios.js';
import { Stage } from './support/stage.js';
import { DEEP } from '../../support/sample.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(() => stage.close());

const ATTEMPTS = DEEP ? 60 : 10;

/** Watched until so many attempts were made; then the wait is ended. */
async function watched(attempts: number): Promise<Record<string, number>> {
  const counted: Record<string, number> = {};
  const run = await carriedOut(
    stage,
    { strategy: 'copy', delay: '10m', watchEvery: '1s' },
    {
      meanwhile: async (_, handle) => {
        await stage.until(handle, ({ phase, wait }) => wait !== null && phase.startsWith(KEEPS));
        while ((await attemptsOf(handle)) < attempts) await new Promise((done) => setTimeout(done, 200));
        await stage.steer(handle, 'update', DROP_NOW);
        await stage.approve(handle, 'drop');
        await handle.result();
        for (const { eventType } of (await handle.fetchHistory()).events ?? [])
          counted[String(eventType)] = (counted[String(eventType)] ?? 0) + 1;
      },
    },
  );
  expect(run.outcome).toBe('completed');
  return counted;
}

async function attemptsOf(handle: WorkflowHandle): Promise<number> {
  const { raw } = await handle.describe();
  const watch = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'awaitAdoption');
  return watch?.attempt ?? 0;
}

it(`${ATTEMPTS} attempts of the watch write no more events than two`, async () => {
  const [few, many] = await Promise.all([watched(2), watched(ATTEMPTS)]);
  expect(many).toEqual(few);
});
