/** The first step of every rotation: is everything ready, and is what was seen of the services their own state. */
import type { Readiness } from '../../activities/rotation-activities.js';
import { effects } from './activities.js';
import type { Run } from './run.js';

/**
 * Another run that stops or deploys the services is waited for, in turn; then they are asked while nobody else may touch them.
 */
export async function seeReady(run: Run): Promise<Readiness> {
  const { plan, services } = run;
  const ready = await run.prepare(async () => {
    for (;;) {
      const found = await effects('Check that everything is ready', plan.taskQueue).checkReadiness(plan);
      if (found.deployedBy === null) return found;
      services.of(found.things);
      await services.hold('prepare', 'forward');
    }
  });
  await services.release();
  return ready;
}
