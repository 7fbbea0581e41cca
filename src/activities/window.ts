/** When a maintenance window is open. */
import { Cron } from 'croner';
import { KeyturnError } from '../domain/errors.js';
import { milliseconds } from '../domain/durations.js';
import type { WindowSpec } from '../domain/specs/policy.js';

/**
 * A window that is open now counts from its opening; otherwise the next one.
 * @param window.at what "now" is, ISO 8601: workflow time, so that a worker's wrong clock opens nothing. Default: by this clock.
 */
export function findWindow(
  window: WindowSpec & { readonly at?: string },
  now = window.at === undefined ? new Date() : new Date(window.at),
): { waitMilliseconds: number; opensAt: string; closesAt: string } {
  const length = milliseconds(window.stays);
  const cron = new Cron(window.opens, { timezone: window.timeZone });
  // The first opening after `now - length` is either still open or the next to come.
  const opens = cron.nextRun(new Date(now.getTime() - length));
  if (!opens) {
    throw new KeyturnError('no-window', `the maintenance window "${window.opens}" never opens`, {
      hint: 'correct its cron expression in the inventory',
    });
  }
  return {
    waitMilliseconds: Math.max(0, opens.getTime() - now.getTime()),
    opensAt: opens.toISOString(),
    closesAt: new Date(opens.getTime() + length).toISOString(),
  };
}
