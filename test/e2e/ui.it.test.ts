/** Temporal's own Web UI as an SRE uses it: a rotation started, followed, decided and understood by clicking. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { runLink } from '../../src/cli/links.js';
import { DEFAULT_TASK_QUEUE } from '../../src/domain/messages.js';
import type { ExampleSystem } from '../../src/demo/systems.js';
import { readSetting, runningSystem } from '../examples/support/running-system.js';
import { openStage, type Stage } from './support/stage.js';
import { findChromium, openBrowser, type Browser } from './support/ui-browser.js';
import {
  fillMessage,
  fillStartForm,
  openChecklist,
  openRun,
  openTab,
  pressStart,
  startWorkflow,
  submit,
} from './support/ui-pages.js';
import { inDeep } from '../support/deep.js';

const chromium = findChromium();
if (chromium === null) console.warn('skipped: there is no Chromium (looked for $CHROMIUM_PATH, then on PATH)');

const WORKFLOW_ID = 'rotate:mediavault/production/SESSION_SECRET';
const REQUEST = {
  system: 'mediavault',
  environment: 'production',
  secret: 'SESSION_SECRET',
  operator: 'ana@example.test',
  reason: 'routine',
  note: 'quarterly rotation',
};
const FORM = { taskQueue: DEFAULT_TASK_QUEUE, type: 'rotateSessionSecret', input: JSON.stringify(REQUEST) };
/** A net: a whole rotation with its watch of 10 s, and a browser, on a busy machine. */
const PATIENCE_MS = 240_000;

describe.skipIf(chromium === null)('in the Temporal UI', { timeout: PATIENCE_MS }, () => {
  let system: ExampleSystem;
  let stage: Stage;
  let browser: Browser;
  let ui: string;

  beforeAll(async () => {
    system = await runningSystem('mediavault');
    stage = await openStage('ui', [system], { ui: true });
    ui = stage.temporal.uiUrl ?? '';
    await stage.startWorker();
    browser = await openBrowser(chromium ?? '');
  }, PATIENCE_MS);

  const latest = () => stage.client.workflow.getHandle(WORKFLOW_ID);
  const text = async (): Promise<string> => {
    const frame = await openChecklist(browser.page);
    return (await frame.locator('main').innerText()).trim();
  };

  test('a rotation is started by its form, and the timeline says what each step is', async () => {
    const { page, picture } = browser;
    await fillStartForm(page, ui, { ...FORM, workflowId: WORKFLOW_ID });
    await page.getByText('Task Queue is Active').waitFor();
    await picture('start-form');
    await pressStart(page);
    await page.getByRole('link', { name: 'Workflow started successfully' }).click();
    await stage.until(latest(), ({ gate }) => gate !== null);
    await page.reload();
    const timeline = page.getByRole('main');
    for (const line of [
      'resolvePlan • Read the inventory and pin the plan',
      'checkReadiness • Check that everything is ready',
      'stageSecret • Stage a new value',
      'Decision "promote": anyone but ana@example.test, who asked for it, may approve; anyone may reject',
    ])
      await timeline.getByText(line).waitFor();
    await picture('timeline-waiting');
  });

  inDeep.test('the checklist says first what it waits for, who may decide and how, then every step', async () => {
    const { page, picture } = browser;
    const frame = await openChecklist(page);
    await picture('checklist-waiting');
    expect(await frame.getByRole('heading').allInnerTexts()).toEqual([
      'Waits for a decision (step 3 of 10)',
      'Use the new value of mediavault/production/SESSION_SECRET (replace, routine)?',
      'Good to know',
      'Steps',
    ]);
    const shown = await frame.locator('main').innerText();
    for (const line of [
      'mediavault/production/SESSION_SECRET · replace · asked for by ana@example.test (routine)',
      'ana@example.test: quarterly rotation',
      'Who may decide: anyone but ana@example.test, who asked for it, may approve; anyone may reject',
      'How: More Actions → Send an Update',
      '{"by": "you@example.test", "note": "why", "plan": "',
      'keyturn approve mediavault/production/SESSION_SECRET --as you@example.test --gate promote --plan ',
      'then denied, and undone',
      '✓ Check that everything is ready – done in',
      '… Approval: use the new value – waits',
      '· Switch to the new value: store, then deploy and health of backend',
      'From step 8 on there is no way back',
    ])
      expect(shown).toContain(line);
    // One list: a second one would be numbered from 1 again.
    expect(await frame.locator('ol').count()).toBe(1);
    expect(await frame.locator('ol > li').count()).toBe(10);
    expect(shown).not.toMatch(/\*\*|\\|^#|`/m);
  });

  inDeep.test(
    'a second start of the same secret is refused by the form, with a link to the run that holds it',
    async () => {
      const { page, picture } = browser;
      await fillStartForm(page, ui, { ...FORM, workflowId: WORKFLOW_ID });
      await pressStart(page);
      await page
        .getByText(/already (running|started)/i)
        .first()
        .waitFor();
      await picture('second-start');
    },
  );

  inDeep.test('a second start under another id fails at once and names the run that holds the secret', async () => {
    const { page, picture } = browser;
    await startWorkflow(page, ui, FORM);
    const { runId } = await latest().describe();
    await page.getByText(`is being rotated already: workflow ${WORKFLOW_ID}, run ${runId}`).first().waitFor();
    await picture('held');
  });

  inDeep.test("the requester's own approval is refused in the form, with the reason, and leaves no trace", async () => {
    const { page, picture } = browser;
    await openRun(page, ui, WORKFLOW_ID);
    const dialog = await fillMessage(page, 'Update', 'approve', '{"by":"ana@example.test"}', () =>
      picture('update-choices'),
    );
    await submit(dialog);
    await dialog
      .getByText('ana@example.test asked for this rotation, and the policy wants somebody else to approve it')
      .waitFor();
    await picture('update-refused');
    expect(await dialog.getByText('Stack Trace').count()).toBe(0);
    const { events } = await latest().fetchHistory();
    expect(events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toEqual([]);
  });

  inDeep.test('the same by signal is on the checklist: why it did not count', async () => {
    const { page, picture } = browser;
    await openRun(page, ui, WORKFLOW_ID);
    await submit(await fillMessage(page, 'Signal', 'approve', '{"by":"ana@example.test"}'));
    await stage.until(latest(), ({ refusals }) => refusals.length > 0);
    expect(await text()).toContain(
      'approve by ana@example.test refused: ana@example.test asked for this rotation, and the policy wants somebody else to approve it',
    );
    await picture('checklist-refused-decision');
  });

  inDeep.test('the link that commands print opens at the checklist', async () => {
    const { page } = browser;
    const { runId } = await latest().describe();
    await page.goto(runLink({ url: ui, namespace: 'default' }, WORKFLOW_ID, runId) ?? '');
    await page.getByRole('tab', { name: 'User Metadata', selected: true }).waitFor();
    const frame = page.locator('iframe').last().contentFrame();
    await frame.getByRole('heading', { level: 2 }).waitFor();
  });

  inDeep.test('what waits for people is found by the query of the link, and carries its attributes', async () => {
    const { page, picture } = browser;
    await page.goto(`${ui}/namespaces/default/workflows?query=${encodeURIComponent('KeyturnAwaitingApproval=true')}`);
    const row = page.getByRole('row').filter({ hasText: WORKFLOW_ID });
    await row.waitFor();
    expect(await page.getByRole('row').filter({ hasText: 'rotateSessionSecret' }).count()).toBe(1);
    await picture('list-awaiting');
    await row.getByRole('link').first().click();
    await openTab(page, 'Search Attributes');
    const shown = page.getByRole('main');
    for (const attribute of ['KeyturnSystem', 'KeyturnEnvironment', 'KeyturnSecret', 'KeyturnPhase'])
      await shown.getByText(attribute).first().waitFor();
    await shown.getByText('awaiting approval').first().waitFor();
    await picture('search-attributes');
  });

  test('somebody else approves by signal, with the decision that the checklist shows, and the run completes', async () => {
    const { page, picture } = browser;
    const before = readSetting(system, 'SESSION_SECRET');
    const decision = JSON.parse(/\{"by".*\}/.exec(await text())?.[0] ?? '') as Record<string, string>;
    const data = JSON.stringify({ ...decision, by: 'ben@example.test', note: 'checked with support' });
    const dialog = await fillMessage(page, 'Signal', 'approve', data, async (choices) => {
      await choices.getByText('Approve the open gate. Input:').waitFor();
      await choices
        .getByText('Reject the open gate: the rotation is undone, or stops where its question says so. Input:')
        .waitFor();
      await picture('signal-choices');
    });
    await picture('signal-filled');
    await submit(dialog);
    await stage.until(latest(), ({ steps }) =>
      steps.some(({ name, state }) => /monitors/.test(name) && state === 'running'),
    );
    expect(await text()).toMatch(/^Step 7 of 10: Watch the monitors for 10s/);
    await picture('checklist-running');
    await latest().result();
    const shown = await text();
    await picture('checklist-completed');
    expect(shown).toMatch(/^Completed/);
    expect(shown).toMatch(/Ended .* UTC after .* · ledger row 1 · next due \d{4}-\d\d-\d\d/);
    expect(shown.match(/✓ .* – done in /g)).toHaveLength(10);
    expect(shown).toContain('approved by ben@example.test (checked with support)');
    expect(readSetting(system, 'SESSION_SECRET')).not.toBe(before);
    await openTab(page, 'Timeline');
    await page.getByText('proveOldRefused • Prove that the old value is refused').waitFor();
    await picture('timeline-completed');
  });

  inDeep.test.each([
    ['nothing', undefined, 'the input of a rotation: '],
    [
      'a field that there is not',
      JSON.stringify({ ...REQUEST, enviroment: 'production' }),
      String.raw`Unrecognized key: \"enviroment\"`,
    ],
  ])(
    'a run whose input is %s fails at once, and its page says what the input must be',
    async (what, input, problem) => {
      const { page, picture } = browser;
      const workflowId = `by-hand-${randomUUID()}`;
      await startWorkflow(page, ui, {
        taskQueue: FORM.taskQueue,
        type: FORM.type,
        workflowId,
        ...(input === undefined ? {} : { input }),
      });
      await page.getByRole('main').getByText('Failed').first().waitFor();
      const main = page.getByRole('main');
      await main.getByText(problem).first().waitFor();
      await main.getByText('It must be one JSON object such as').first().waitFor();
      await picture(`input-${what.replaceAll(' ', '-')}`);
      expect((await stage.client.workflow.getHandle(workflowId).describe()).status.name).toBe('FAILED');
    },
  );

  inDeep.test(
    'a run under a random id starts the one that is the lock as its child, and passes decisions on to it',
    async () => {
      const { page, picture } = browser;
      const { runId: earlier } = await latest().describe();
      const parentId = await startWorkflow(page, ui, FORM);
      expect(parentId).toMatch(/^[0-9a-f-]{36}$/);
      const parent = stage.client.workflow.getHandle(parentId);
      const child = await stage.until(latest(), ({ gate, runId }) => gate !== null && runId !== earlier);
      const frame = await openChecklist(page);
      await picture('parent-details');
      expect(await frame.locator('main').innerText()).toContain(`in workflow ${WORKFLOW_ID}`);
      await openTab(page, 'Relationships');
      await page
        .getByRole('link', { name: child.runId })
        .or(page.getByRole('link', { name: WORKFLOW_ID }))
        .first()
        .waitFor();
      await picture('relationships');
      await submit(await fillMessage(page, 'Signal', 'approve', '{"by":"ben@example.test"}'));
      const report = (await parent.result()) as { reports: { outcome: string }[] };
      expect(report.reports.map(({ outcome }) => outcome)).toEqual(['completed']);
      await openRun(page, ui, parentId);
      expect(await text()).toContain('completed');
      await picture('parent-completed');
    },
  );
});
