/** `keyturn status`: what runs (status-list.ts); with a reference, one run's full checklist. */
import type { Context } from './context.js';
import { EXIT, exitCodeOfReport, type ExitCode } from './exit-codes.js';
import { runLink, type Ui } from './links.js';
import { idsOf } from './named-runs.js';
import type { Failed, RunView } from './runs.js';
import { runsToShow, type RunToShow } from './runs-to-show.js';
import { listRuns } from './status-list.js';
import { unservedQueues } from './unserved.js';
import { viewLines, type ShownView } from './view-lines.js';
import { withTemporal } from './with-temporal.js';

export interface StatusOptions {
  readonly exitCode?: boolean;
}

export async function status(context: Context, refText: string | undefined, options: StatusOptions): Promise<ExitCode> {
  // A name that is none is told before Temporal is looked for.
  if (refText !== undefined) idsOf(refText);
  return withTemporal(context, async ({ temporal, ui }) => {
    if (refText === undefined) return listRuns(context, temporal, ui);
    const views = await runsToShow(temporal, refText);
    const shown: ShownView[] = [];
    for (const view of views) {
      shown.push({ ...view, unservedQueues: await unservedQueues(temporal, view.workflowId, view.runId) });
    }
    context.console.document(documentOf(shown, ui));
    if (!context.console.json) shown.forEach((view, index) => showOne(context, view, ui, index > 0));
    return options.exitCode ? exitCodeOfViews(views) : EXIT.done;
  });
}

function showOne({ console }: Context, view: ShownView, ui: Ui, separate: boolean): void {
  if (separate) console.say();
  for (const line of viewLines(view, console.paint)) console.say(line);
  const link = runLink(ui, view.workflowId, view.runId);
  if (link !== null) console.note(`in the UI: ${link}`);
}

function documentOf(views: readonly ShownView[], ui: Ui): unknown {
  return { runs: views.map((view) => ({ ...view, url: runLink(ui, view.workflowId, view.runId) })) };
}

/** What a person must look at comes first, then who waits for one. */
const URGENT: readonly ExitCode[] = [EXIT.failed, EXIT.waiting, EXIT.rejected];

export function exitCodeOfViews(views: readonly RunToShow[]): ExitCode {
  // What was there before a run for all environments says nothing of that run.
  const codes = views.filter(({ before }) => before === undefined).map(exitCodeOfView);
  return URGENT.find((code) => codes.includes(code)) ?? EXIT.done;
}

function exitCodeOfView(view: RunView): ExitCode {
  const status = typeof view.status === 'string' ? null : view.status;
  if (view.state === 'RUNNING') return status?.gate ? EXIT.waiting : EXIT.done;
  const reports = view.ending?.reports.length ? view.ending.reports : status?.report ? [status.report] : [];
  const codes = reports.map((report) => exitCodeOfReport(report));
  const failed = view.ending?.failure && codes.length === 0 ? codeOfFailure(view, view.ending.failure) : EXIT.done;
  return codes.find((code) => code !== EXIT.done) ?? failed;
}

/** A run that left no report. One that was ended before it began has changed nothing, as a cancelled one. */
function codeOfFailure({ taken, state }: RunView, { type }: Failed): ExitCode {
  return type === 'cancelled' || (!taken && state === 'TERMINATED') ? EXIT.rejected : EXIT.failed;
}
