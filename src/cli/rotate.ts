/** `keyturn rotate`: starts the right runbook for a secret, and with `--wait` watches it to its end. */
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy, type WorkflowHandle } from '@temporalio/client';
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  TypedSearchAttributes,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { KeyturnError } from '../domain/errors.js';
import { FAILURE_TYPES, SEARCH_ATTRIBUTES } from '../domain/status.js';
import { inline } from '../domain/markdown.js';
import { parseRotateInput, type RotateInput } from '../domain/messages.js';
import { formatRef, rotationWorkflowId, type SecretRef, type SecretSelector } from '../domain/refs.js';
import { endingLines, outcomeWord } from './checklist.js';
import type { Context } from './context.js';
import { EXIT, exitCodeOf, exitCodeOfReport, type ExitCode } from './exit-codes.js';
import { follow, type Seen, type Watched } from './follow.js';
import { watchInterrupts } from './interrupts.js';
import { openInventory } from './open-inventory.js';
import { runbookFor } from '../runbooks/index.js';
import { invocation } from './invocation.js';
import { runLink, type Ui } from './links.js';
import { describeRun, queryStatus, type Ending } from './runs.js';
import { selectorArgument } from './selectors.js';
import { readSettings } from './settings.js';
import type { TemporalClient } from './temporal.js';
import { unpolled, unservedText, waitsUnserved } from './unserved.js';
import { withTemporal, type Connected } from './with-temporal.js';
import { typedInput } from './typed-input.js';

export interface RotateOptions {
  readonly operator: string;
  readonly reason: RotateInput['reason'];
  readonly note?: string;
  readonly wait?: boolean;
  readonly stopAtGate?: boolean;
}

export async function rotate(context: Context, refText: string, options: RotateOptions): Promise<ExitCode> {
  const named = selectorArgument(refText);
  const inventory = await openInventory(await readSettings(context));
  const refs = inventory.expand(named);
  const [first] = refs;
  // One environment is no rollout: its run is the secret's own.
  const selector: SecretSelector = first && refs.length === 1 ? first : named;
  const { operator, reason, note } = options;
  const input = typedInput(
    () => parseRotateInput({ ...selector, operator, reason, ...(note === undefined ? {} : { note }) }),
    `rotate ${refText} --operator ana@example.test`,
  );
  const [workflowType = ''] = refs.map((ref) => runbookFor(inventory.kindOf(ref), ref).workflow);
  const queues = inventory.queuesOf(refs);
  return await runAndWatch(context, { workflowType, selector, refs, input, queues, verb: 'rotates' }, options);
}

/** What is started under a secret's lock. */
export interface RunRequest {
  readonly workflowType: string;
  readonly selector: SecretSelector;
  readonly refs: readonly SecretRef[];
  readonly input: RotateInput;
  /** Where its effects will wait for workers, as far as that is known here. */
  readonly queues: readonly string[];
  /** `rotates`: what the operator does, for people. */
  readonly verb: string;
}

/** @throws KeyturnError `rotation-held` naming the run that holds the secret. */
export async function runAndWatch(
  context: Context,
  request: RunRequest,
  options: Pick<RotateOptions, 'wait' | 'stopAtGate'>,
): Promise<ExitCode> {
  const { workflowType, selector, refs } = request;
  return withTemporal(context, async (connected) => {
    const run = await start(connected, request);
    const url = runLink(connected.ui, run.workflowId, run.runId);
    const { console } = context;
    console.say(`started ${run.workflowId} (${workflowType}, run ${run.runId})`);
    if (url !== null) console.say(`in the UI: ${url}`);
    const ref = formatRef(selector);
    const unserved = await unpolled(connected.temporal, [connected.settings.taskQueue, ...request.queues]);
    const facts = { ref, ...run, workflowType, url };
    // Nobody comes to a gate without a worker: a job that waits for one would never end.
    if (!options.wait || (options.stopAtGate && unserved.length > 0)) {
      console.document({ ...facts, state: 'started', unservedQueues: unserved });
      if (unserved.length === 0) {
        if (!console.json) console.note(`watch it: ${invocation()} status ${ref}`);
        return EXIT.done;
      }
      waitsUnserved(unserved, `watch it: keyturn status ${ref}`).forEach((line) => console.note(line));
      return EXIT.unreachable;
    }
    for (const queue of unserved) console.say(unservedText(queue));
    const interrupts = watchInterrupts();
    try {
      const seen = await follow({
        temporal: connected.temporal,
        console,
        run,
        watched: watchedRuns(run, refs),
        stopAtGate: options.stopAtGate ?? false,
        signal: interrupts.signal,
      });
      return conclude(context, selector, facts, seen);
    } finally {
      interrupts.release();
    }
  });
}

interface Started {
  readonly workflowId: string;
  readonly runId: string;
}

/** @throws KeyturnError `rotation-held` naming the run that holds the secret. */
async function start(
  { temporal, ui, settings }: Connected,
  { workflowType, selector, input, verb }: RunRequest,
): Promise<Started> {
  const workflowId = rotationWorkflowId(selector);
  try {
    const handle: WorkflowHandle & { firstExecutionRunId: string } = await temporal.client.workflow.start(
      workflowType,
      {
        workflowId,
        taskQueue: settings.taskQueue,
        args: [input],
        // The id is the lock: a second start must fail, and say who holds it.
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        staticSummary: `${input.operator} ${verb} ${formatRef(selector)} (${input.reason})`.slice(0, 190),
        staticDetails: staticDetails(selector, input),
        typedSearchAttributes: searchAttributes(selector),
      },
    );
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw await heldBy(temporal, ui, selector, error);
  }
}

async function heldBy(
  temporal: TemporalClient,
  ui: Ui,
  selector: SecretSelector,
  cause: unknown,
): Promise<KeyturnError> {
  const ref = formatRef(selector);
  const workflowId = rotationWorkflowId(selector);
  const holder = await describeRun(temporal, workflowId);
  const state = holder ? await queryStatus(temporal, workflowId, holder.runId) : null;
  const link = holder ? runLink(ui, workflowId, holder.runId) : null;
  const phase = state ? `, phase "${state.phase}", asked for by ${state.operator}` : '';
  const since = holder ? ` (run ${holder.runId} since ${holder.startTime.toISOString()}${phase})` : '';
  return new KeyturnError(FAILURE_TYPES.held, `${workflowId} is already running${since}`, {
    hint: `one rotation a secret at a time. See it: ${invocation()} status ${ref}${link === null ? '' : `, or ${link}`}; end it: ${invocation()} cancel ${ref} --as YOUR-NAME`,
    cause,
  });
}

function searchAttributes({ system, environment, secret }: SecretSelector): TypedSearchAttributes {
  const keyword = (name: string, value: string) => ({
    key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
    value,
  });
  return new TypedSearchAttributes([
    keyword(SEARCH_ATTRIBUTES.system, system),
    keyword(SEARCH_ATTRIBUTES.secret, secret),
    // A run that leads several has no phase of its own.
    ...(environment === undefined
      ? []
      : [keyword(SEARCH_ATTRIBUTES.environment, environment), keyword(SEARCH_ATTRIBUTES.phase, 'preparing')]),
  ]);
}

/** Markdown, on the run's User Metadata tab in the UI. */
function staticDetails(selector: SecretSelector, { operator, reason, note }: RotateInput): string {
  const lines = [
    `- **Secret**: ${formatRef(selector)}`,
    `- **Operator**: ${inline(operator)}`,
    `- **Reason**: ${reason}`,
  ];
  if (note !== undefined) lines.push(`- **Note**: ${inline(note)}`);
  return lines.join('\n');
}

function watchedRuns(run: Started, refs: readonly SecretRef[]): Watched[] {
  if (refs.length === 1) return [run];
  return refs.map((ref) => ({ workflowId: rotationWorkflowId(ref), parent: run }));
}

function conclude(context: Context, selector: SecretSelector, facts: object, seen: Seen): ExitCode {
  const { console } = context;
  const ref = formatRef(selector);
  if (seen === 'interrupted') {
    console.note(`not watching any more; the run goes on. See it: ${invocation()} status ${ref}`);
    console.document({ ...facts, state: 'running' });
    return EXIT.interrupted;
  }
  if ('waitingAt' in seen) {
    const { gate } = seen.waitingAt;
    console.document({ ...facts, state: 'awaiting approval', gate });
    return EXIT.waiting;
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

/** A run that did not complete is an error to the shell, and reads like one. */
export function exitCodeOfEnding({ console }: Context, { reports, failure }: Ending): ExitCode {
  const unfinished = reports.find((report) => report.outcome !== 'completed');
  if (!unfinished && !failure) return EXIT.done;
  console.note(`error: ${failure?.message ?? `${unfinished?.ref ?? 'the run'} was ${unfinished?.outcome ?? 'ended'}`}`);
  const todo = unfinished?.todo[0] ?? failure?.hint ?? null;
  if (todo !== null) console.note(`hint: ${todo}`);
  return unfinished ? exitCodeOfReport(unfinished) : exitCodeOf(failure?.type ?? 'failed');
}
