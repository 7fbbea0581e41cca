/** `keyturn status`: what runs, what it waits for, who may decide; with a reference, one run's full checklist. */
import { formatMilliseconds } from '../domain/durations.js';
import { whoMayDecide } from '../domain/gate.js';
import { BACKUP_WORKFLOW_TYPE } from '../domain/messages.js';
import { oneLine } from '../domain/one-line.js';
import type { SecretSelector } from '../domain/refs.js';
import { reportLines, statusLines } from './checklist.js';
import type { Context } from './context.js';
import { EXIT, exitCodeOfOutcome, type ExitCode } from './exit-codes.js';
import { decisionCommand } from './gate-help.js';
import { invocation } from './invocation.js';
import { listLink, QUERIES, runLink, type Ui } from './links.js';
import { listHolding, listRunning, type RunningEntry } from './running.js';
import { type Answer, askStatus, isSilence, type RunView, SILENCE, viewRun } from './runs.js';
import { selectorArgument } from './selectors.js';
import { table } from './table.js';
import type { TemporalClient } from './temporal.js';
import { unservedQueues, unservedText } from './unserved.js';
import { withTemporal } from './with-temporal.js';

export interface StatusOptions {
  readonly exitCode?: boolean;
}

/** Queries go out this many at a time: a worker answers each from its cache or by a replay. */
const AT_ONCE = 10;

export async function status(context: Context, refText: string | undefined, options: StatusOptions): Promise<ExitCode> {
  const selector = refText === undefined ? undefined : selectorArgument(refText);
  return withTemporal(context, async ({ temporal, ui }) => {
    if (!selector) return showAll(context, temporal, ui);
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

async function showAll(context: Context, temporal: TemporalClient, ui: Ui): Promise<ExitCode> {
  const { console } = context;
  const entries = await listRunning(temporal);
  const rows: Row[] = [];
  for (let start = 0; start < entries.length; start += AT_ONCE) {
    const batch = entries.slice(start, start + AT_ONCE);
    rows.push(
      ...(await Promise.all(
        batch.map(async (entry) => ({
          entry,
          ...(await askedOne(temporal, entry)),
        })),
      )),
    );
  }
  console.document({
    running: rows.map(({ entry, status, unserved }) => ({
      ref: entry.ref,
      workflowType: entry.workflowType,
      workflowId: entry.workflowId,
      runId: entry.runId,
      startedAt: entry.startedAt,
      url: runLink(ui, entry.workflowId, entry.runId),
      status: typeof status === 'string' || 'problem' in status ? null : status,
      note: typeof status === 'string' ? status : 'problem' in status ? status.problem : null,
      unservedQueues: unserved,
    })),
    url: listLink(ui, QUERIES.running),
  });
  if (console.json) return EXIT.done;
  if (rows.length === 0) console.say('nothing is running');
  else console.say(table(HEAD, rows.map(rowOf), console.paint));
  for (const { status } of rows) {
    if (typeof status !== 'string' && 'gate' in status && status.gate)
      console.say(`  ${decisionCommand('approve', status.ref, status.gate)}`);
  }
  const link = listLink(ui, QUERIES.running);
  if (link !== null) console.note(`in the UI: ${link}`);
  return EXIT.done;
}

/** One run that cannot be asked does not keep people from seeing the others. */
async function askedOne(
  temporal: TemporalClient,
  { workflowId, runId }: RunningEntry,
): Promise<Pick<Row, 'status' | 'unserved'>> {
  try {
    const status = await askStatus(temporal, workflowId, runId);
    return { status, unserved: await unservedQueues(temporal, workflowId, runId) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { status: { problem: `cannot be asked: ${oneLine(problem)}` }, unserved: [] };
  }
}

/** Such a run has no steps of its own: those of the runs that it has started are in rows of their own. */
const LEADS = { backup: 'one after the other', rotation: 'rolling out' };

const HEAD = ['Secret or backup', 'Runbook', 'Phase', 'Since', 'Waits for', 'Who may decide'];

interface Row {
  readonly entry: RunningEntry;
  readonly status: Answer | { readonly problem: string };
  /** Task queues that it waits for and nobody polls. */
  readonly unserved: readonly string[];
}

function rowOf({ entry, status, unserved }: Row): string[] {
  const since = `${formatMilliseconds(Math.max(0, Date.now() - Date.parse(entry.startedAt)))} ago`;
  const { ref, workflowType } = entry;
  const row = (phase: string, waits = '', who = ''): string[] => [ref, workflowType, phase, since, waits, who];
  if (typeof status !== 'string' && 'problem' in status) return row('unknown', status.problem);
  if (isSilence(status))
    return row(
      'unknown',
      status === 'no worker' ? 'a worker: none answers' : 'a repaired worker: its code fails there',
    );
  if (unserved.length > 0) {
    const phase = status === 'starting' ? 'starting' : status.phase;
    return row(phase, `a worker: none polls ${unserved.join(', ')}`);
  }
  if (status === 'starting')
    return row(entry.leads ? (workflowType === BACKUP_WORKFLOW_TYPE ? LEADS.backup : LEADS.rotation) : 'starting');
  const { gate, wait, trouble } = status;
  const waits = gate ? `decision: ${gate.name}` : wait ? `${wait.what} (until ${wait.until})` : (trouble ?? '');
  return row(status.phase, waits, gate ? whoMayDecide(gate) : '');
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
  if (view.ending?.failure) lines.push('', `ended with ${view.ending.failure.type}: ${view.ending.failure.message}`);
  if (answer !== null && isSilence(answer) && view.state === 'RUNNING') lines.push(SILENCE[answer]);
  lines.push(...view.unservedQueues.map(unservedText));
  if (brokenOff(view)) lines.push('', ...brokenOffLines(selectorOf(view)));
  for (const line of lines) console.say(line);
  const link = runLink(ui, view.workflowId, view.runId);
  if (link !== null) console.note(`in the UI: ${link}`);
}

function documentOf(views: readonly ShownView[], ui: Ui): unknown {
  return { runs: views.map((view) => ({ ...view, url: runLink(ui, view.workflowId, view.runId) })) };
}

function exitCodeOfView(view: RunView): ExitCode {
  const status = typeof view.status === 'string' ? null : view.status;
  if (status?.gate) return EXIT.waiting;
  if (view.state === 'RUNNING') return EXIT.done;
  const reports = view.ending?.reports.length ? view.ending.reports : status?.report ? [status.report] : [];
  const codes = reports.map((report) => exitCodeOfOutcome(report.outcome));
  const failed = view.ending?.failure && codes.length === 0 ? EXIT.failed : EXIT.done;
  return codes.find((code) => code !== EXIT.done) ?? failed;
}
