/** A run as a checklist for a terminal. */
import { cancellationUnderWay } from '../domain/cancelling.js';
import { MARKS } from '../domain/checklist.js';
import { formatMilliseconds } from '../domain/durations.js';
import { proofInWords } from '../domain/proof.js';
import { endOf, saidOf, type RotationReport, type StepRecord, type StepState } from '../domain/report.js';
import { excerpt } from '../domain/diagnosis.js';
import type { Steer } from '../domain/messages.js';
import type { RunStatus, ShownStep } from '../domain/status.js';
import type { Paint } from './console.js';
import { gateLines } from './gate-help.js';
import { invocation } from './invocation.js';

const COLOURS: Record<StepState, keyof Paint> = {
  'to come': 'dim',
  running: 'cyan',
  waiting: 'yellow',
  done: 'green',
  failed: 'red',
  undone: 'yellow',
  skipped: 'dim',
};

export function stepLine(step: StepRecord, paint: Paint): string {
  const ended = step.seconds !== undefined && step.state !== 'running' && step.state !== 'waiting';
  const took = ended ? paint.dim(` (${formatMilliseconds((step.seconds ?? 0) * 1_000)})`) : '';
  const said = saidOf(step).join('; ').trim().replaceAll('\n', '\n      ');
  const name = step.state === 'to come' ? paint.dim(step.name) : step.name;
  return `${paint[COLOURS[step.state]](MARKS[step.state])} ${name}${took}${said ? `: ${said}` : ''}`;
}

/** State and last log lines of what failed, below its step. @param room lines; default: all of them. */
export function diagnosisLines(step: StepRecord, paint: Paint, room = Infinity): string[] {
  return step.diagnosis ? excerpt(step.diagnosis, room).map((line) => paint.dim(`    | ${line}`)) : [];
}

function stepLines(steps: readonly ShownStep[], paint: Paint): string[] {
  return steps.flatMap((step) => [
    `  ${stepLine(step, paint)}`,
    ...(step.seen ?? []).map((line) => `      ${line}`),
    ...diagnosisLines(step, paint),
  ]);
}

export function statusLines(status: RunStatus, paint: Paint): string[] {
  if (status.report) return reportLines(status.report, paint);
  const { cancellation } = status;
  const lines = [
    `${paint.bold(status.ref)}: ${status.phase}`,
    paint.dim(`${status.method}, asked for by ${status.operator} (${status.reason}), run ${status.runId}`),
    ...(cancellation ? [paint.yellow(cancellationUnderWay(cancellation, status.ifCancelled))] : []),
    '',
    ...stepLines(status.steps, paint),
  ];
  if (status.trouble !== null) lines.push('', `not done yet: ${status.trouble}`);
  if (status.gate) lines.push('', ...gateLines(status.ref, status.gate));
  if (status.wait) lines.push('', `waits until ${status.wait.until}: ${status.wait.what}`);
  lines.push(...steeringLines(status));
  return [...lines, ...refusalLines(status.refusals)];
}

/** The exact commands, as at a gate. */
function steeringLines({ steering, gate, wait, ref }: RunStatus): string[] {
  const commands: Record<Steer, string> = {
    extend: `wait longer     ${invocation()} extend ${ref} 6h --as YOUR-NAME`,
    dropNow: `wait no longer  ${invocation()} drop-now ${ref} --as YOUR-NAME`,
    abort: `go back         ${invocation()} abort ${ref} --as YOUR-NAME`,
    tryAgain: `try again now   ${invocation()} try-again ${ref} --as YOUR-NAME`,
    goOnWithout: `leave this step as it is, undo the rest  ${invocation()} go-on-without ${ref} --as YOUR-NAME`,
    stopHere: `undo nothing more  ${invocation()} stop-here ${ref} --as YOUR-NAME`,
  };
  const lines = steering.map((steer) => `  ${commands[steer]}`);
  return lines.length === 0 || gate || wait ? lines : ['', ...lines];
}

export function reportLines(report: RotationReport, paint: Paint): string[] {
  return [
    `${paint.bold(report.ref)}: ${outcomeWord(report, paint)}`,
    paint.dim(`${report.method}, asked for by ${report.operator}, run ${report.requestId}`),
    paint.dim(`${report.startedAt} to ${report.finishedAt}`),
    '',
    ...stepLines(report.steps, paint),
    ...refusalLines(report.refusals),
    ...endingLines(report),
  ];
}

/** What stays after a run: its ledger row, the next date, and what a person still has to do. */
export function endingLines(report: RotationReport): string[] {
  const lines = [''];
  lines.push(report.ledgerSequence === null ? 'not in the ledger' : `ledger row ${report.ledgerSequence}`);
  if (report.proof) lines.push(`old value ${proofInWords(report.proof)}`);
  if (report.nextDueAt !== null) lines.push(`next due ${report.nextDueAt.slice(0, 10)}`);
  if (report.todo.length > 0)
    lines.push('', 'still to be done by a person:', ...report.todo.map((item) => `  - ${item}`));
  return lines;
}

export function outcomeWord(report: RotationReport, paint: Paint): string {
  const colour = report.outcome === 'completed' ? paint.green : report.outcome === 'stopped' ? paint.red : paint.yellow;
  return colour(endOf(report));
}

function refusalLines(refusals: readonly string[]): string[] {
  return refusals.length === 0 ? [] : ['', 'decisions refused:', ...refusals.map((line) => `  - ${line}`)];
}
