/** A swap in Temporal's own Web UI: its wait says until when, who is still on the old role, and what people can do about it. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import pg from 'pg';
import type { ExampleSystem } from '../../src/demo/systems.js';
import type { RotationReport } from '../../src/domain/report.js';
import { readSetting, runningSystem } from '../examples/support/running-system.js';
import { openStage, type Stage } from './support/stage.js';
import { keeps, rolesOf, swapsOn, sweepRoles, type Swaps } from './support/swaps.js';
import { findChromium, openBrowser, type Browser } from './support/ui-browser.js';
import { fillMessage, openChecklist, openRun, submit } from './support/ui-pages.js';

const chromium = findChromium();
if (chromium === null) console.warn('skipped: there is no Chromium (looked for $CHROMIUM_PATH, then on PATH)');

const REF = 'messaging/staging/DATABASE_URL';
const WORKFLOW_ID = `rotate:${REF}`;
const PATIENCE_MS = 240_000;

describe.skipIf(chromium === null)('in the Temporal UI', { timeout: PATIENCE_MS }, () => {
  let system: ExampleSystem;
  let stage: Stage;
  let swaps: Swaps;
  let browser: Browser;
  let ui: string;

  beforeAll(async () => {
    system = await runningSystem('messaging/staging');
    sweepRoles([system]);
    stage = await openStage('swap_ui', [system], { ui: true });
    swaps = swapsOn(stage);
    ui = stage.temporal.uiUrl ?? '';
    await stage.startWorker();
    browser = await openBrowser(chromium ?? '');
  }, PATIENCE_MS);

  test('the wait is read from the top; it is steered by its forms, and ended by going back', async () => {
    const { page, picture } = browser;
    const old = readSetting(system, 'DATABASE_URL');
    const { exitCode, stderr } = await stage.keyturn('rotate', REF, '--operator', 'ana@example.test');
    expect(exitCode, stderr).toBe(0);
    const run = swaps.runOf(REF);
    await stage.until(run, (status) => status.phase.startsWith('Watch the monitors'));
    const straggler = new pg.Client({ connectionString: old, application_name: 'nightly-report' });
    straggler.on('error', () => undefined);
    await straggler.connect();
    onTestFinished(() => straggler.end());
    await straggler.query('BEGIN');
    const { wait } = await stage.until(
      run,
      (status) => keeps(status) && status.steps.some(({ seen }) => seen?.join().includes('nightly-report')),
    );
    const until = readable(wait?.until);

    await openRun(page, ui, WORKFLOW_ID);
    const frame = await openChecklist(page);
    await picture('swap-waits');
    const headings = await frame.getByRole('heading').allInnerTexts();
    expect(headings.slice(0, 3)).toEqual([
      expect.stringMatching(new RegExp(`^Waits until ${until} UTC \\(step \\d+ of \\d+\\)$`)),
      'Who uses the old role',
      'What you can do',
    ]);
    const shown = await frame.locator('main').innerText();
    for (const line of [
      'The old role is kept until then; it is dropped after that, once nobody is on it.',
      '1 × nightly-report from 127.0.0.1 on primary (idle in transaction, since ',
      `keyturn extend ${REF} 6h --as you@example.test`,
      `keyturn drop-now ${REF} --as you@example.test`,
      `keyturn abort ${REF} --as you@example.test`,
    ])
      expect(shown).toContain(line);
    expect(shown).not.toMatch(/\*\*|\\|^#|`/m);

    const dialog = await fillMessage(
      page,
      'Update',
      'extend',
      '{"by":"ben@example.test","for":"6h"}',
      async (choices) => {
        for (const name of ['extend', 'dropNow', 'abort'])
          await choices.getByRole('option', { name: new RegExp(`^${name}.* Input:`, 's') }).waitFor();
        await picture('swap-updates');
      },
    );
    await submit(dialog);
    const later = new Date(Date.parse(wait?.until ?? '') + 6 * 3_600_000).toISOString();
    await stage.until(run, (status) => status.wait?.until === later);
    expect(await (await openChecklist(page)).locator('main').innerText()).toContain(
      `Waits until ${readable(later)} UTC`,
    );
    await picture('swap-extended');

    await submit(
      await fillMessage(page, 'Signal', 'abort', '{"by":"ben@example.test","note":"the report is not done"}'),
    );
    const report = (await run.result()) as RotationReport;
    expect(report.outcome).toBe('aborted');
    expect(readSetting(system, 'DATABASE_URL')).toBe(old);
    expect(await rolesOf(system)).toHaveLength(1);
    const ended = await (await openChecklist(page)).locator('main').innerText();
    await picture('swap-aborted');
    expect(ended).toContain('aborted by ben@example.test (the report is not done)');
  });
});

function readable(iso = ''): string {
  return iso.slice(0, 19).replace('T', ' ');
}
