/** Looking at services after a change: the flows that must pass, while nobody else deploys them, and the monitors over their window. */
import { milliseconds } from '../../domain/durations.js';
import { effects, longEffects } from './activities.js';
import type { Run } from './run.js';

export async function verifyAndWatch(run: Run<'verify' | 'watch'>): Promise<void> {
  const { verify, monitors, watch, taskQueue } = run.plan;
  await run.stepBeside('verify', async () => {
    await run.services.hold('verify', 'forward');
    return await effects('Verify the flows', taskQueue).runChecks(verify);
  });
  // A watch takes as long as it takes. Deploys by others in it are found out, and not held against this run.
  await run.services.release();
  await run.stepBeside('watch', () =>
    longEffects(`Watch the monitors for ${watch}`, taskQueue).watchMonitors({
      monitors,
      things: run.services.watched,
      milliseconds: milliseconds(watch),
    }),
  );
}
