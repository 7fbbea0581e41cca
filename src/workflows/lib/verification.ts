/** Looking at services after a change: the flows that must pass, and the monitors over their window. */
import { milliseconds } from '../../domain/durations.js';
import { effects, longEffects } from './activities.js';
import type { Run } from './run.js';

export async function verifyAndWatch(run: Run): Promise<void> {
  const { verify, monitors, watch, taskQueue } = run.plan;
  if (verify.length > 0) await run.step('verify', () => effects('Verify the flows', taskQueue).runChecks(verify));
  if (monitors.length > 0)
    await run.step('watch', () =>
      longEffects(`Watch the monitors for ${watch}`, taskQueue).watchMonitors({
        monitors,
        milliseconds: milliseconds(watch),
      }),
    );
}
