/** `keyturn backup`: starts the runs that make and prove backups, and with `--wait` watches them to their end. */
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type WorkflowHandle } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  backupWorkflowId,
  formatBackup,
  parseBackupSelector,
  type BackupRef,
  type BackupSelector,
} from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import { BACKUP_WORKFLOW_TYPE, parseBackupInput, type BackupInput } from '../domain/messages.js';
import { FAILURE_TYPES } from '../domain/status.js';
import { expandBackups } from '../inventory/backups.js';
import { loadInventory } from '../inventory/load.js';
import { endingLines, outcomeWord } from './checklist.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { follow, type Seen, type Watched } from './follow.js';
import { watchInterrupts } from './interrupts.js';
import { invocation } from './invocation.js';
import { runLink } from './links.js';
import { saidHere } from './open-inventory.js';
import { exitCodeOfEnding } from './rotate.js';
import { describeRun } from './runs.js';
import { readSettings } from './settings.js';
import { typedInput } from './typed-input.js';
import { unpolled, unservedText, waitsUnserved } from './unserved.js';
import { withTemporal, type Connected } from './with-temporal.js';

export interface BackupOptions {
  readonly operator?: string;
  readonly note?: string;
  readonly wait?: boolean;
}

export async function backup(context: Context, text: string | undefined, options: BackupOptions): Promise<ExitCode> {
  const { operator, note } = options;
  if (text === undefined) throw usage("missing required argument 'ref'", 'SYSTEM, SYSTEM/ENV or SYSTEM/ENV/NAME');
  if (operator === undefined)
    throw usage("required option '--operator <who>' not specified", 'see keyturn backup --help');
  const named = backupArgument(text);
  const inventory = await loadInventory((await readSettings(context)).inventory());
  const refs = saidHere(inventory.source, () => expandBackups(inventory, named));
  const [first] = refs;
  const selector: BackupSelector = first && refs.length === 1 ? first : named;
  const input = typedInput(
    () => parseBackupInput({ ...selector, operator, ...(note === undefined ? {} : { note }) }),
    `backup ${text} --operator ana@example.test`,
  );

  return withTemporal(context, async (connected) => {
    const { console } = context;
    const run = await start(connected, selector, input);
    const url = runLink(connected.ui, run.workflowId, run.runId);
    console.say(`started ${run.workflowId} (${BACKUP_WORKFLOW_TYPE}, run ${run.runId})`);
    if (url !== null) console.say(`in the UI: ${url}`);
    const facts = { ref: formatBackup(selector), ...run, workflowType: BACKUP_WORKFLOW_TYPE, url };
    const unserved = await unpolled(connected.temporal, [connected.settings.taskQueue]);
    if (!options.wait) {
      console.document({ ...facts, state: 'started', unservedQueues: unserved });
      if (unserved.length === 0) {
        if (!console.json) console.note(`see what came of it: ${invocation()} backup list`);
        return EXIT.done;
      }
      waitsUnserved(unserved).forEach((line) => console.note(line));
      return EXIT.unreachable;
    }
    for (const queue of unserved) console.say(unservedText(queue));
    const interrupts = watchInterrupts();
    try {
      const { temporal } = connected;
      const watched = watchedRuns(run, refs);
      const seen = await follow({ temporal, console, run, watched, stopAtGate: false, signal: interrupts.signal });
      return conclude(context, facts, seen);
    } finally {
      interrupts.release();
    }
  });
}

/** Takes the run's id too (`backup:SYSTEM/ENV/NAME`), which is what one copies from the UI. @throws KeyturnError `bad-reference`. */
export function backupArgument(text: string): BackupSelector {
  return parseBackupSelector(text.replace(/^backup:/, ''));
}

interface Started {
  readonly workflowId: string;
  readonly runId: string;
}

/** @throws KeyturnError `rotation-held` naming the run that makes this backup. */
async function start(
  { temporal, settings }: Connected,
  selector: BackupSelector,
  input: BackupInput,
): Promise<Started> {
  const workflowId = backupWorkflowId(selector);
  try {
    const handle: WorkflowHandle & { firstExecutionRunId: string } = await temporal.client.workflow.start(
      BACKUP_WORKFLOW_TYPE,
      {
        workflowId,
        taskQueue: settings.taskQueue,
        args: [input],
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        staticSummary: `${input.operator} backs up ${formatBackup(selector)}`.slice(0, 190),
      },
    );
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const holder = await describeRun(temporal, workflowId);
    const since = holder ? ` (run ${holder.runId} since ${holder.startTime.toISOString()})` : '';
    throw new KeyturnError(FAILURE_TYPES.held, `${workflowId} is already running${since}`, {
      hint: 'wait for it: a backup takes seconds, unless no worker polls its task queue',
      cause: error,
    });
  }
}

function watchedRuns(run: Started, refs: readonly BackupRef[]): Watched[] {
  if (refs.length === 1) return [run];
  return refs.map((ref) => ({ workflowId: backupWorkflowId(ref), parent: run }));
}

function conclude(context: Context, facts: object, seen: Seen): ExitCode {
  const { console } = context;
  if (seen === 'interrupted' || 'waitingAt' in seen) {
    console.note('not watching any more; the run goes on');
    console.document({ ...facts, state: 'running' });
    return EXIT.interrupted;
  }
  const { reports, failure } = seen.ended;
  for (const report of reports) {
    console.say();
    console.say(`${console.paint.bold(report.ref)}: ${outcomeWord(report, console.paint)}`);
    endingLines(report).forEach((line) => console.say(line));
  }
  console.document({ ...facts, state: 'ended', reports, failure });
  return exitCodeOfEnding(context, seen.ended);
}

function usage(message: string, hint: string): KeyturnError {
  return new KeyturnError('bad-usage', message, { hint });
}
