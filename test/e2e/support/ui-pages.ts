/** What a person does in Temporal's Web UI, by what they see: labels, buttons, tabs. UI 2.54. */
import type { FrameLocator, Locator, Page } from 'playwright-core';

export interface StartForm {
  /** Left out: the form's own random one. */
  readonly workflowId?: string;
  readonly taskQueue: string;
  readonly type: string;
  /** Typed as it is; left out: the field stays empty. */
  readonly input?: string;
}

/** From the list of workflows to the filled-in form. @returns the workflow id in it. */
export async function fillStartForm(page: Page, uiUrl: string, form: StartForm): Promise<string> {
  await page.goto(`${uiUrl}/namespaces/default/workflows`);
  await page
    .getByTestId('start-workflow-button')
    .or(page.getByRole('link', { name: 'Start Workflow' }))
    .first()
    .click();
  const id = page.getByLabel('Workflow ID');
  if (form.workflowId === undefined) await page.getByRole('button', { name: 'Random UUID' }).click();
  else await id.fill(form.workflowId);
  await page.getByLabel('Task Queue').fill(form.taskQueue);
  await page.getByLabel('Workflow Type').fill(form.type);
  if (form.input !== undefined) await typeData(page.getByRole('main'), form.input);
  return await id.inputValue();
}

export async function pressStart(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Start Workflow' }).click();
}

/** Starts it and follows the link of the message that says so. @returns the workflow id. */
export async function startWorkflow(page: Page, uiUrl: string, form: StartForm): Promise<string> {
  const workflowId = await fillStartForm(page, uiUrl, form);
  await pressStart(page);
  await page.getByRole('link', { name: 'Workflow started successfully' }).click();
  await page.getByRole('tab', { name: 'Timeline' }).waitFor();
  return workflowId;
}

/** The latest run of this id. */
export async function openRun(page: Page, uiUrl: string, workflowId: string): Promise<void> {
  await page.goto(`${uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`);
  await page.getByRole('tab', { name: 'Timeline' }).waitFor();
}

export async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name }).click();
  await page.getByRole('tab', { name, selected: true }).waitFor();
}

/** The rendered checklist, freshly asked for. */
export async function openChecklist(page: Page): Promise<FrameLocator> {
  await page.reload();
  await openTab(page, 'User Metadata');
  // A run with a summary shows that in a frame of its own, before the current details.
  const frame = page.locator('iframe').last().contentFrame();
  await frame.getByRole('heading', { level: 2 }).waitFor();
  return frame;
}

/** Opens the form, chooses and fills in; `submit` is the caller's. */
export async function fillMessage(
  page: Page,
  kind: 'Signal' | 'Update',
  name: string,
  data: string,
  look: (dialog: Locator) => Promise<void> = () => Promise.resolve(),
): Promise<Locator> {
  await page.getByRole('button', { name: 'More Actions' }).click();
  await page.getByRole('menuitem', { name: new RegExp(`Send an? ${kind}`) }).click();
  const dialog = page.getByRole('dialog').filter({ visible: true });
  await dialog.getByRole('button', { name: new RegExp(`Select an? ${kind}`, 'i') }).click();
  const option = dialog.getByRole('option', { name: new RegExp(`^${name}`) });
  await option.waitFor();
  await look(dialog);
  await option.click();
  await typeData(dialog, data);
  return dialog;
}

export async function submit(dialog: Locator): Promise<void> {
  await dialog.getByRole('button', { name: 'Submit' }).click();
}

/** The editor lays its text out anew when it loses the focus, which moves the buttons below it: wait for that. */
async function typeData(within: Locator, json: string): Promise<void> {
  const editor = within.getByRole('textbox', { name: 'Data' }).filter({ visible: true });
  await editor.click();
  await within.page().keyboard.insertText(json);
  await within.getByText('Single JSON payload supported').filter({ visible: true }).click();
  if (json.startsWith('{')) await editor.locator('.cm-line').nth(1).waitFor();
}
