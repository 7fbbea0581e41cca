/**
 * `keyturn status` without a reference: all that runs, what it waits for, and who may decide. One question to Temporal for all runs, and
 * one for each task queue; no run is asked, so a thousand are listed as fast as one, also those that could not answer.
 */
import { cancellationInWords, type Cancellation } from '../domain/cancelling.js';
import { formatMilliseconds } from '../domain/durations.js';
import { whoMayDecide } from '../domain/gate.js';
import { BACKUP_WORKFLOW_TYPE } from '../domain/messages.js';
import { oneLine } from '../domain/one-line.js';
import type { OpenGate } from '../domain/status.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { decisionCommand } from './gate-help.js';
import { invocation } from './invocation.js';
import { listLink, QUERIES, runLink, type Ui } from './links.js';
import { LIST_LIMIT, listRunning, type RunningEntry } from './running.js';
import { table } from './table.js';
import type { TemporalClient } from './temporal.js';
import { isPolled } from './unserved.js';

/** Commands to approve by; beyond, nobody reads them. */
const MOST_COMMANDS = 20;

const HEAD = ['Secret or backup', 'Runbook', 'Phase', 'Since', 'Waits for', 'Who may decide'];

/** Such a run has no steps of its own: those of the runs that it has started are in rows of their own. */
const LEADS = { backup: 'one after the other', rotation: 'rolling out' };

export async function listRuns(context: Context, temporal: TemporalClient, ui: Ui): Promise<ExitCode> {
  const { console } = context;
  const entries = await listRunning(temporal);
  const isServed = await whoIsServed(temporal, entries);
  const rows = entries.map((entry) => rowOf(entry, isServed));
  console.document({
    running: rows.map(({ entry, phase, gate, wait, trouble, cancellation, problem, unservedQueues }) => ({
      ref: entry.ref,
      workflowType: entry.workflowType,
      workflowId: entry.workflowId,
      runId: entry.runId,
      startedAt: entry.startedAt,
      url: runLink(ui, entry.workflowId, entry.runId),
      status: entry.shown.phase === null ? null : { phase, gate, wait, trouble, cancellation },
      note: problem,
      unservedQueues,
    })),
    url: listLink(ui, QUERIES.running),
  });
  if (console.json) return EXIT.done;
  if (rows.length === 0) console.say('nothing is running');
  else console.say(table(HEAD, rows.map(cellsOf), console.paint));
  const open = rows.flatMap(({ entry, gate }) => (gate ? [{ ref: entry.ref, gate }] : []));
  for (const { ref, gate } of open.slice(0, MOST_COMMANDS)) console.say(`  ${decisionCommand('approve', ref, gate)}`);
  if (open.length > MOST_COMMANDS)
    console.say(`  and ${open.length - MOST_COMMANDS} more wait for a decision: ${invocation()} status REF shows how`);
  if (entries.length >= LIST_LIMIT) console.note(`only ${LIST_LIMIT} runs are shown; there may be more`);
  const link = listLink(ui, QUERIES.running);
  if (link !== null) console.note(`in the UI: ${link}`);
  return EXIT.done;
}

type IsServed = (kind: Kind, queue: string) => boolean;
type Kind = 'workflow' | 'activity';

/** Each task queue once, however many runs are on it. */
async function whoIsServed(temporal: TemporalClient, entries: readonly RunningEntry[]): Promise<IsServed> {
  const unserved = new Set<string>();
  const wanted = new Map<string, [Kind, string]>();
  for (const { taskQueues } of entries.map(({ shown }) => shown)) {
    wanted.set(`workflow ${taskQueues.workflow}`, ['workflow', taskQueues.workflow]);
    if (taskQueues.steps !== null) wanted.set(`activity ${taskQueues.steps}`, ['activity', taskQueues.steps]);
  }
  const ask = async ([key, [kind, queue]]: [string, [Kind, string]]): Promise<void> => {
    if (!(await isPolled(temporal, queue, { kind }))) unserved.add(key);
  };
  await Promise.all([...wanted].map(ask));
  return (kind, queue) => !unserved.has(`${kind} ${queue}`);
}

interface Row {
  readonly entry: RunningEntry;
  readonly phase: string;
  readonly gate: OpenGate | null;
  readonly wait: { readonly what: string; readonly until: string } | null;
  readonly trouble: string | null;
  readonly cancellation: Cancellation | null;
  /** Why it does not go on, or cannot be shown. */
  readonly problem: string | null;
  /** Task queues that it needs now and nobody polls. */
  readonly unservedQueues: readonly string[];
}

function rowOf(entry: RunningEntry, isServed: IsServed): Row {
  const { phase, note, taskQueues, failing } = entry.shown;
  const waits = phase === 'waiting' || phase === 'awaiting approval';
  const gate = note?.gate ?? null;
  const wait = phase === 'waiting' ? (note?.wait ?? null) : null;
  const row = (problem: string | null, shownPhase: string, unservedQueues: readonly string[] = []): Row => ({
    entry,
    phase: shownPhase,
    gate,
    wait,
    trouble: note?.trouble ?? null,
    cancellation: note?.cancellation ?? null,
    problem,
    unservedQueues,
  });
  if (!isServed('workflow', taskQueues.workflow))
    return row('a worker: none answers', 'unknown', [taskQueues.workflow]);
  if (failing) return row('a repaired worker: its code fails there', 'unknown');
  if (phase === null) return row(null, beginning(entry));
  const steps = taskQueues.steps;
  if (steps !== null && !waits && !isServed('activity', steps))
    return row(`a worker: none polls ${steps}`, phase, [steps]);
  return row(null, waits ? (note?.step ?? phase) : phase);
}

function beginning({ leads, workflowType }: RunningEntry): string {
  if (!leads) return 'starting';
  return workflowType === BACKUP_WORKFLOW_TYPE ? LEADS.backup : LEADS.rotation;
}

function cellsOf(row: Row): string[] {
  const { entry, phase, problem, gate } = row;
  const since = `${formatMilliseconds(Math.max(0, Date.now() - Date.parse(entry.startedAt)))} ago`;
  return [
    entry.ref,
    entry.workflowType,
    oneLine(phase),
    since,
    oneLine(problem ?? waitsFor(row)),
    problem === null && gate ? whoMayDecide(gate) : '',
  ];
}

function waitsFor({ gate, wait, trouble, cancellation }: Row): string {
  if (cancellation?.tooLate === null) return cancellationInWords(cancellation);
  if (gate) return `decision: ${gate.name}`;
  return wait ? `${wait.what} (until ${wait.until})` : (trouble ?? '');
}
