/**
 * The maintenance window of the plan, waited for and held: what disturbs services begins while it is open. People may decide,
 * and tokens expire, long after it has closed; then its next opening is waited for. An undo never waits for it.
 */
import { effects } from './activities.js';
import type { Run } from './run.js';

/** As a step of the runbook's table. */
export async function waitForWindow<K extends string>(run: Run<K>, key: K): Promise<void> {
  await run.step(key, () => untilOpen(run));
}

/**
 * Just before the first stop or deploy of the step `before`: while the window is open, and with the services locked. Whoever has
 * waited for the lock looks at the window again; a window that has closed is waited for without the lock.
 */
export async function holdWindowAndServices<K extends string>(run: Run<K>, before: K): Promise<void> {
  do {
    await holdWindow(run, before);
    await run.services.hold(before, 'forward');
  } while (run.plan.window && !isOpen(run));
}

/** As a step of its own, if the window has closed meanwhile. */
async function holdWindow<K extends string>(run: Run<K>, before: K): Promise<void> {
  if (!run.plan.window || isOpen(run)) return;
  await run.lineBefore(before, 'window', 'Wait for the maintenance window', () => untilOpen(run));
}

async function untilOpen(run: Run): Promise<{ summary: string }> {
  const { window, taskQueue } = run.plan;
  if (!window) return { summary: 'there is none' };
  let waited = false;
  while (!isOpen(run)) {
    const at = new Date(Date.now()).toISOString();
    const found = await effects('Find the maintenance window', taskQueue).findWindow({ ...window, at });
    waited ||= found.waitMilliseconds > 0;
    await run.pause(`Until the maintenance window opens at ${found.opensAt}`, found.waitMilliseconds);
    // Over already if no worker was there in time: then the next one.
    run.windowOpenUntil = Date.parse(found.closesAt);
  }
  const until = new Date(run.windowOpenUntil).toISOString();
  return { summary: waited ? `waited for; open until ${until}` : `open until ${until}` };
}

function isOpen(run: Run): boolean {
  return Date.now() < run.windowOpenUntil;
}
