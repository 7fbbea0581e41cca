/** `keyturn status`: what runs (status-list.ts); with a reference, one run's full checklist. */
import { endOf } from '../domain/report.js';
import type { SecretSelector } from '../domain/refs.js';
import { reportLines, statusLines } from './checklist.js';
import type { Context } from './context.js';
import { EXIT, exitCodeOfReport, type ExitCode } from './exit-codes.js';
import { invocation } from './invocation.js';
import { runLink, type Ui } from './links.js';
import { listHolding } from './running.js';
import { isSilence, type RunView, SILENCE, viewRun } from './runs.js';
import { selectorArgument } from './selectors.js';
import { listRuns } from './status-list.js';
import type { TemporalClient } from './temporal.js';
import { unservedQueues, unservedText } from './unserved.js';
import { withTemporal } from './with-temporal.js';

export interface StatusOptions {
  readonly exitCode?: boolean;
}

export async function status(context: Context, refText: string | undefined, options: StatusOptions): Promise<ExitCode> {
  const selector = refText === undefined ? undefined : selectorArgument(refText);
  return withTemporal(context, async ({ temporal, ui }) => {
    if (!selector) return listRuns(context, temporal, ui);
    const views = await viewsOf(temporal, selector);
    const shown: ShownView[] = [];
    for (const view of views) {
      shown.push({ ...view, unservedQueues: await unservedQueues(temporal, view.workflowId, view.runId) });
    }
    context.console.document(documentOf(shown, ui));
    if (!context.console.json) shown.forEach((view, index) => showOne(context, view, ui, index > 0));
    return options.exitCode ? (Math.max(...views.map(exitCodeOfView)) as ExitCode) : EXIT.done;
  });
}

/** One run, or for `SYSTEM/SECRET` the rollout if it is the latest thing, else every environment's running one. */
async function viewsOf(temporal: TemporalClient, selector: SecretSelector): Promise<RunView[]> {
  if (selector.environment === undefined) {
    const running = (await listHolding(temporal, selector)).filter((run) => run.selector.environment !== undefined);
    if (running.length > 0) {
      return Promise.all(running.map((run) => viewRun(temporal, run.selector, run.runId)));
    }
  }
  return [await viewRun(temporal, selector)];
}

/** Ended by somebody in Temporal, or by its time limit: it had no chance to undo anything, or to say how it ended. */
function brokenOff({ state, status, ending }: RunView): boolean {
  const hasReport = (ending?.reports.length ?? 0) > 0 || (typeof status === 'object' && status?.report !== null);
  return ['TERMINATED', 'TIMED_OUT'].includes(state) && !hasReport;
}

function endWord({ state }: RunView): string {
  return state === 'TERMINATED' ? 'terminated from outside' : 'timed out';
}

function selectorOf({ workflowId }: RunView): string {
  return workflowId.replace(/^rotate:/, '');
}

function brokenOffLines(ref: string): string[] {
  return [
    'it was broken off: nothing was undone, and what it had changed by then stays so, in the store and in the services',
    `see how things stand: ${invocation()} plan ${ref}`,
    `the next run settles what it left first: ${invocation()} rotate ${ref} --operator YOUR-NAME`,
  ];
}

interface ShownView extends RunView {
  readonly unservedQueues: readonly string[];
}

function showOne({ console }: Context, view: ShownView, ui: Ui, separate: boolean): void {
  if (separate) console.say();
  const lines: string[] = [];
  const { status: answer } = view;
  const live = answer !== null && typeof answer !== 'string' ? answer : null;
  // What was going on when it was broken off is not going on any more.
  if (live)
    lines.push(
      ...statusLines(
        brokenOff(view) ? { ...live, phase: endWord(view), gate: null, wait: null, steering: [] } : live,
        console.paint,
      ),
    );
  for (const report of view.ending?.reports ?? []) lines.push(...reportLines(report, console.paint));
  if (lines.length === 0) lines.push(`${view.workflowId}: ${view.state.toLowerCase()}, started ${view.startedAt}`);
  if (view.ending?.failure) lines.push('', `ended with ${endedWith(view.ending)}`);
  if (answer !== null && isSilence(answer) && view.state === 'RUNNING') {
    if (view.cancelRequested) lines.push('cancellation asked for');
    lines.push(SILENCE[answer]);
  }
  lines.push(...view.unservedQueues.map(unservedText));
  if (brokenOff(view)) lines.push('', ...brokenOffLines(selectorOf(view)));
  for (const line of lines) console.say(line);
  const link = runLink(ui, view.workflowId, view.runId);
  if (link !== null) console.note(`in the UI: ${link}`);
}

/** What its first step refused was rolled back by nothing. */
function endedWith({ failure, reports }: NonNullable<RunView['ending']>): string {
  const refused = reports.length > 0 && reports.every((report) => endOf(report) === 'not begun');
  return `${refused ? 'not begun' : failure?.type}: ${failure?.message}`;
}

function documentOf(views: readonly ShownView[], ui: Ui): unknown {
  return { runs: views.map((view) => ({ ...view, url: runLink(ui, view.workflowId, view.runId) })) };
}

function exitCodeOfView(view: RunView): ExitCode {
  const status = typeof view.status === 'string' ? null : view.status;
  if (status?.gate) return EXIT.waiting;
  if (view.state === 'RUNNING') return EXIT.done;
  const reports = view.ending?.reports.length ? view.ending.reports : status?.report ? [status.report] : [];
  const codes = reports.map((report) => exitCodeOfReport(report));
  const failed = view.ending?.failure && codes.length === 0 ? EXIT.failed : EXIT.done;
  return codes.find((code) => code !== EXIT.done) ?? failed;
}
