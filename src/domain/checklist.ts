/**
 * A run as Markdown for the Temporal UI (User Metadata tab), read from the top: what it waits for or how it ended, who can do
 * what about it, then every step. What the UI's renderer allows: headings, paragraphs and flat lists (tables lose their
 * padding, nested lists and blocks in a list run together, code blocks do not wrap). States are words beside plain signs:
 * not every machine has emoji.
 */
import { asTyped } from './as-typed.js';
import { cancellationUnderWay } from './cancelling.js';
import { excerpt } from './diagnosis.js';
import { formatMilliseconds } from './durations.js';
import { whoMayDecide } from './gate.js';
import { code, inline } from './markdown.js';
import { cut } from './one-line.js';
import { proofInWords } from './proof.js';
import { endOf, saidOf, type Outcome, type RotationReport, type StepState } from './report.js';
import type { OpenGate, RunStatus, ShownStep } from './status.js';
import { STEER } from './steering-lines.js';

/** The same in the UI and on a terminal. */
export const MARKS: Record<StepState, string> = {
  'to come': '·',
  running: '▸',
  waiting: '…',
  done: '✓',
  failed: '✗',
  undone: '↩',
  skipped: '–',
};

const ENDS: Record<Outcome | 'not begun', string> = {
  completed: 'Completed',
  'not begun': 'Not begun: nothing was changed',
  rejected: 'Rejected: the old value stays in use',
  aborted: 'Aborted: the old value is in use',
  'rolled back': 'Rolled back: the old value is in use',
  cancelled: 'Cancelled: the old value is in use',
  stopped: 'Stopped: a person must act',
};

/** Where something stays changed, the line about the old value would say too much. */
const UNDONE: Partial<Record<Outcome, string>> = {
  rejected: 'Rejected: what this run began is undone',
  aborted: 'Aborted: what this run began is undone',
  'rolled back': 'Rolled back: what this run began is undone',
  cancelled: 'Cancelled: what this run began is undone',
};

/** Temporal takes 20 KB; the lengths below keep a usual run at a tenth of it. */
const MOST_BYTES = 18_000;
const EVIDENCE_LENGTH = 240;
const REASON_LENGTH = 600;
const REFUSALS_SHOWN = 5;
const DIAGNOSIS_LINES = 10;

export function renderChecklist(status: RunStatus): string {
  const lines = [
    `## ${headline(status)}`,
    '',
    `**${inline(status.ref)}** · ${inline(status.method)} · asked for by **${inline(status.operator)}** (${inline(status.reason)})`,
    ...cancellationLines(status),
    ...gateLines(status),
    ...(status.trouble === null ? [] : ['', `**Not done yet**: ${inline(status.trouble, REASON_LENGTH)}`]),
    ...waitLines(status),
    ...endLines(status),
    // Whoever sent a signal looks at the top for what became of it.
    ...refusalLines(status.refusals),
    ...aboutLines(status),
    '',
    '### Steps',
    '',
    ...stepLines(status),
    ...status.steps.flatMap(diagnosisLines),
  ];
  return fitting(lines.map((line) => asTyped(line, status.command)));
}

function headline(status: RunStatus): string {
  const { gate, wait, report, steps } = status;
  if (report)
    return `${((report.lasting ?? []).length > 0 ? UNDONE[report.outcome] : undefined) ?? ENDS[endOf(report)]}${unproven(report)}`;
  const index = steps.findIndex(({ state }) => state === 'running' || state === 'waiting');
  const position = `step ${index + 1} of ${steps.length}`;
  if (gate) return `Waits for a decision (${position})`;
  if (wait) return `Waits until ${moment(wait.until)} (${position})`;
  const step = steps[index];
  if (step) return `${capital(position)}: ${inline(step.name)}`;
  return capital(inline(status.phase));
}

/** Completed says too much where nobody saw the old value refused. */
function unproven({ outcome, proof }: RotationReport): string {
  return outcome === 'completed' && proof && !proof.proven ? ', not proven that the old value is dead' : '';
}

/** What the resolver decided, and what the requester wants known: part of what is approved. */
function aboutLines({ about }: RunStatus): string[] {
  return about.length > 0
    ? ['', '### Good to know', '', ...about.map((line) => `- ${inline(line, REASON_LENGTH)}`)]
    : [];
}

function cancellationLines({ cancellation, ifCancelled, report }: RunStatus): string[] {
  if (!cancellation || report) return [];
  return ['', `**${capital(inline(cancellationUnderWay(cancellation, ifCancelled), REASON_LENGTH))}**`];
}

function gateLines({ gate, ref }: RunStatus): string[] {
  if (!gate) return [];
  const { name, plan, expiresAt, onExpiry, approvals } = gate;
  const decision = `{"by": "you@example.test", "note": "why", "plan": ${JSON.stringify(plan)}}`;
  return [
    '',
    `### ${inline(gate.question)}`,
    '',
    `- **Who may decide**: ${inline(whoMayDecide(gate))}`,
    `- **How**: ${SEND} → ${code('approve')} or ${code('reject')}`,
    `- **With**: ${code(decision)}`,
    `- **Or**: ${code(`keyturn approve ${ref} --as you@example.test --gate ${name} --plan ${plan}`)}`,
    `- **Until**: ${moment(expiresAt)}, then ${onExpiry === 'approve' ? 'approved' : `denied, and ${gate.afterDenial ?? 'undone'}`}`,
    ...approvals.map(approvalLine),
  ];
}

const SEND = '*More Actions* → *Send an Update* (says at once whether it counts) or *Send a Signal*';

function approvalLine({ by, at, note }: OpenGate['approvals'][number]): string {
  return `- **Approved** by ${inline(by)} at ${moment(at)}${note ? `: ${inline(note, EVIDENCE_LENGTH)}` : ''}`;
}

function waitLines({ wait, steps, steering, ref }: RunStatus): string[] {
  const seen = steps.flatMap((step) => step.seen ?? []);
  const seenAs = steps.find((step) => step.seen)?.seenAs ?? 'Who uses the old role';
  return [
    ...(wait ? ['', `${inline(wait.what)}.`] : []),
    ...(seen.length > 0 ? ['', `### ${seenAs}`, '', ...seen.map((line) => `- ${inline(line, EVIDENCE_LENGTH)}`)] : []),
    ...(steering.length > 0
      ? [
          '',
          '### What you can do',
          '',
          `${SEND}; or by command:`,
          '',
          ...steering.map((steer) => `- ${STEER[steer](ref)}`),
        ]
      : []),
  ];
}

/** How it ended: what failed, what a person must do, where it is recorded. */
function endLines({ report, steps }: RunStatus): string[] {
  const failed = steps.find((step) => step.error !== undefined);
  const lines = failed ? ['', `**${inline(failed.name)}** failed: ${inline(failed.error ?? '', REASON_LENGTH)}`] : [];
  if (!report) return lines;
  const lasting = report.lasting ?? [];
  if (report.proof) lines.push('', `Old value ${inline(proofInWords(report.proof), REASON_LENGTH)}`);
  if (report.todo.length > 0) {
    lines.push('', '### To be done by a person', '', ...report.todo.map((line) => `- ${inline(line, REASON_LENGTH)}`));
  }
  if (lasting.length > 0) {
    lines.push('', '### What stays', '', ...lasting.map((line) => `- ${inline(line, REASON_LENGTH)}`));
  }
  const took = formatMilliseconds(Date.parse(report.finishedAt) - Date.parse(report.startedAt));
  const row = report.ledgerSequence === null ? 'not in the ledger' : `ledger row ${report.ledgerSequence}`;
  const due = report.nextDueAt === null ? '' : ` · next due ${report.nextDueAt.slice(0, 10)}`;
  return [...lines, '', `Ended ${moment(report.finishedAt)} after ${took} · ${row}${due}`];
}

/** One list: the UI's renderer numbers a second one from 1 again, whatever its first number says. */
function stepLines({ steps, report }: RunStatus): string[] {
  const noReturn = report ? -1 : steps.findIndex((step) => step.forward === true);
  const note = `*From step ${noReturn + 1} on there is no way back: a failure is not undone any more, a person must act.*`;
  return [...(noReturn === -1 ? [] : [note, '']), ...steps.map((step, index) => `${index + 1}. ${stepLine(step)}`)];
}

function stepLine(step: ShownStep): string {
  const { state, name } = step;
  // Bold is what happened and happens; what is still to come steps back.
  const shown = state === 'to come' || state === 'skipped' ? inline(name) : `**${inline(name)}**`;
  const said =
    state === 'to come' || state === 'running' || state === 'waiting'
      ? (step.detail ?? '')
      : saidOf(step)
          .map((line) => cut(line, EVIDENCE_LENGTH))
          .join('; ');
  return `${MARKS[state]} ${shown}${stateWords(step)}${said === '' ? '' : `: ${inline(said)}`}`;
}

function stateWords({ state, seconds }: ShownStep): string {
  const took = seconds === undefined ? '' : ` ${formatMilliseconds(seconds * 1000)}`;
  switch (state) {
    case 'to come':
      return '';
    case 'running':
      return ' – running';
    case 'waiting':
      return ' – waits';
    case 'done':
      return took === '' ? ' – done' : ` – done in${took}`;
    case 'failed':
      return took === '' ? ' – failed' : ` – failed after${took}`;
    case 'undone':
      return ' – undone';
    case 'skipped':
      return ' – not done';
  }
}

/** Lines of code in a list, which wraps; a code block would be cut off. `keyturn status` shows the whole. */
function diagnosisLines(step: ShownStep): string[] {
  if (!step.diagnosis) return [];
  const lines = excerpt(step.diagnosis, DIAGNOSIS_LINES).filter((line) => line.trim() !== '');
  return [
    '',
    `### What "${inline(step.name)}" ended with`,
    '',
    ...lines.map((line) => `- ${code(line, EVIDENCE_LENGTH)}`),
  ];
}

/** Markdown; empty when there are none. */
export function refusalLines(refusals: readonly string[]): string[] {
  if (refusals.length === 0) return [];
  const earlier = refusals.length - REFUSALS_SHOWN;
  return [
    '',
    '### Decisions that did not count',
    '',
    ...(earlier > 0 ? [`- … ${earlier} earlier ones`] : []),
    ...refusals.slice(-REFUSALS_SHOWN).map((line) => `- ${inline(line, EVIDENCE_LENGTH)}`),
  ];
}

/** ISO 8601 as people read it; workflow time is UTC. */
function moment(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whole lines from the top, where the most important things are. */
function fitting(lines: readonly string[]): string {
  let room = MOST_BYTES;
  const kept = lines.findIndex((line) => (room -= new TextEncoder().encode(line).length + 1) < 0);
  if (kept === -1) return lines.join('\n');
  return [...lines.slice(0, kept), '', '*The rest is left out here; `keyturn status` shows all of it.*'].join('\n');
}
