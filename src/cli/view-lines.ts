/** What `keyturn status REF` says of one run: how it stands, or how it ended. */
import { endOf } from '../domain/report.js';
import { FAILURE_TYPES } from '../domain/status.js';
import { reportLines, statusLines } from './checklist.js';
import type { Paint } from './console.js';
import { invocation } from './invocation.js';
import { refOf } from './named-runs.js';
import { isSilence, SILENCE, type RunView, type Silence } from './runs.js';
import type { RunToShow } from './runs-to-show.js';
import { unservedText } from './unserved.js';

export interface ShownView extends RunToShow {
  readonly unservedQueues: readonly string[];
}

export function viewLines(view: ShownView, paint: Paint): string[] {
  if (view.led) return leaderLines(view, view.led);
  const ref = refOf(view.workflowId);
  if (!view.taken)
    return [`${paint.bold(ref)}: ended before any worker took it on, so nothing was begun`, ...endedLines(view)];
  const lines: string[] = [];
  const { status: answer } = view;
  if (view.before !== undefined)
    lines.push(`not begun by the run for all that started at ${view.before}; the last one before it:`);
  const live = answer !== null && typeof answer !== 'string' ? answer : null;
  // What was going on when it was broken off is not going on any more.
  if (live)
    lines.push(
      ...statusLines(
        brokenOff(view) ? { ...live, phase: endWord(view), gate: null, wait: null, steering: [] } : live,
        paint,
      ),
    );
  for (const report of view.ending?.reports ?? []) lines.push(...reportLines(report, paint));
  if (!live && (view.ending?.reports ?? []).length === 0) lines.push(stateLine(view));
  if (view.ending?.failure) lines.push(...endedLines(view));
  if (answer !== null && isSilence(answer) && !brokenOff(view)) lines.push(...silenceLines(view, answer));
  lines.push(...view.unservedQueues.map(unservedText));
  if (brokenOff(view)) lines.push('', ...brokenOffLines(view.workflowId));
  return lines;
}

function stateLine({ workflowId, state, startedAt }: RunView): string {
  return `${workflowId}: ${state.toLowerCase()}, started ${startedAt}`;
}

/** What became of the others stands below. */
function leaderLines(view: ShownView, led: readonly string[]): string[] {
  const { failure } = view.ending ?? {};
  const others = led.length === 0 ? 'it has begun no other' : `it has begun ${led.join(', ')}`;
  const theirs = failure && led.length > 0 && THEIRS.includes(failure.type);
  return [`${stateLine(view)}: ${others}`, ...(theirs ? [] : endedLines(view))];
}

/** Failures that a run which leads others takes over from one of them. */
const THEIRS: readonly string[] = [FAILURE_TYPES.rolledBack, FAILURE_TYPES.stopped];

/** That it was cancelled is said by its outcome. */
function endedLines({ ending, taken }: RunView): string[] {
  const { failure, reports = [] } = ending ?? {};
  if (!failure || failure.type === 'cancelled') return [];
  if (!taken) return [failure.message];
  // What its first step refused was rolled back by nothing.
  const refused = reports.length > 0 && reports.every((report) => endOf(report) === 'not begun');
  return ['', `ended with ${refused ? 'not begun' : failure.type}: ${failure.message}`];
}

function silenceLines({ state, cancelRequested, workflowId }: RunView, answer: Silence): string[] {
  if (state === 'RUNNING') return [...(cancelRequested ? ['cancellation asked for'] : []), SILENCE[answer]];
  return [
    `its steps are told by a worker, and none answers; what went into the ledger: ${invocation()} log ${refOf(workflowId)}`,
  ];
}

/** Ended by somebody in Temporal, or by its time limit: it had no chance to undo anything, or to say how it ended. */
function brokenOff({ state, status, ending }: RunView): boolean {
  const hasReport = (ending?.reports.length ?? 0) > 0 || (typeof status === 'object' && status?.report !== null);
  return ['TERMINATED', 'TIMED_OUT'].includes(state) && !hasReport;
}

function endWord({ state }: RunView): string {
  return state === 'TERMINATED' ? 'terminated from outside' : 'timed out';
}

function brokenOffLines(workflowId: string): string[] {
  const ref = refOf(workflowId);
  if (workflowId.startsWith('backup:'))
    return [
      'it was broken off: an archive that it had not proven does not count',
      `back up again: ${invocation()} backup ${ref} --operator YOUR-NAME`,
    ];
  return [
    'it was broken off: nothing was undone, and what it had changed by then stays so, in the store and in the services',
    `see how things stand: ${invocation()} plan ${ref}`,
    `the next run settles what it left first: ${invocation()} rotate ${ref} --operator YOUR-NAME`,
  ];
}
