/**
 * `keyturn cancel`: ends a run by its own undo. What that comes to depends on how far the run is; so it is said first, and where something
 * is to be undone it takes `--yes`. A run that no worker has ever taken on has begun nothing: it is ended at once, and its name is free.
 */
import { KeyturnError } from '../domain/errors.js';
import { CANCELLED_BY, parseCancellation, type SteerInput } from '../domain/messages.js';
import { endingLines, outcomeWord } from './checklist.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { follow } from './follow.js';
import { watchInterrupts } from './interrupts.js';
import { invocation, quoteArgument } from './invocation.js';
import { runLink } from './links.js';
import { exitCodeOfEnding } from './rotate.js';
import { affected, type Outlook, outlookOf } from './cancel-outlook.js';
import { idsOf } from './named-runs.js';
import { hasBegun, type Ending } from './runs.js';
import { runToCancel, type LiveRun, type ToCancel } from './runs-to-cancel.js';
import { within, type TemporalClient } from './temporal.js';
import { typedInput } from './typed-input.js';
import { withTemporal, type Connected } from './with-temporal.js';

const CALL_TIMEOUT_MS = 10_000;

export interface CancelOptions {
  readonly as: string;
  readonly note?: string;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

/** @throws KeyturnError `too-late`, `not-confirmed` (without `--yes`), `run-not-found`, `ambiguous`. */
export async function cancel(context: Context, refText: string, options: CancelOptions): Promise<ExitCode> {
  const { as: by, note, yes = false, wait = false } = options;
  const who = typedInput(
    () => parseCancellation({ by, ...(note === undefined ? {} : { note }) }),
    `cancel ${refText} --as ben@example.test`,
  );
  return await withTemporal(context, async (connected) => {
    const { temporal } = connected;
    const target = await runToCancel(temporal, refText);
    const found = await Promise.all(affected(target).map((run) => outlookOf(temporal, run)));
    refuseWhatIsTooLate(found);
    // A shorter name may mean another run by then.
    const typed = idsOf(refText).includes(target.run.workflowId) ? refText : target.run.ref;
    if (!yes) askFirst(found, `cancel ${typed} --as ${quoteArgument(by)} --yes`);
    await request(temporal, target, who);
    const [only] = found;
    const ended = only && !only.begun && target.led.length === 0 ? await endUnbegun(temporal, only.run, who) : false;
    return await conclude(context, connected, { target, found, who, wait, ended });
  });
}

function refuseWhatIsTooLate(found: readonly Outlook[]): void {
  if (!found.every(({ tooLate }) => tooLate)) return;
  throw new KeyturnError(
    'too-late',
    found.map(({ run, will }) => `${run.ref} cannot be cancelled: ${will}`).join('; '),
    {
      hint: `see what it comes to: ${found.map(({ run }) => `${invocation()} status ${run.ref}`).join('; ')}`,
    },
  );
}

/** @throws KeyturnError `not-confirmed`. */
function askFirst(found: readonly Outlook[], command: string): void {
  if (found.every(({ harmless }) => harmless)) return;
  throw new KeyturnError(
    'not-confirmed',
    found.map(({ run, will }) => `${run.ref} is not cancelled yet: if it is, ${will}`).join('; '),
    {
      hint: `if that is wanted: ${invocation()} ${command}`,
    },
  );
}

/** The name first, so that a run that takes both at once has it. */
async function request(temporal: TemporalClient, { run, led }: ToCancel, who: SteerInput): Promise<void> {
  const handleOf = ({ workflowId, runId }: LiveRun) => temporal.client.workflow.getHandle(workflowId, runId);
  for (const one of [run, ...led])
    await within(temporal, CALL_TIMEOUT_MS, () => handleOf(one).signal(CANCELLED_BY, who)).catch(unlessGone);
  await within(temporal, CALL_TIMEOUT_MS, () => handleOf(run).cancel()).catch(unlessGone);
}

/** It has ended meanwhile: how is seen below. */
function unlessGone(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'WorkflowNotFoundError') throw error;
}

/**
 * Nobody processes its cancellation. Should a worker come right now, it finds that first and begins nothing; so to end it is safe.
 * @returns whether it is over.
 */
async function endUnbegun(temporal: TemporalClient, run: LiveRun, { by }: SteerInput): Promise<boolean> {
  const { workflowId, runId } = run;
  if (await hasBegun(temporal, run)) return false;
  const why = `cancelled by ${by}; no worker had taken it on, so nothing was begun`;
  await within(temporal, CALL_TIMEOUT_MS, () =>
    temporal.client.workflow.getHandle(workflowId, runId).terminate(why),
  ).catch(unlessGone);
  return true;
}

interface Requested {
  readonly target: ToCancel;
  readonly found: readonly Outlook[];
  readonly who: SteerInput;
  readonly wait: boolean;
  readonly ended: boolean;
}

async function conclude(
  context: Context,
  { temporal, ui }: Connected,
  { target, found, who, wait, ended }: Requested,
): Promise<ExitCode> {
  const { console } = context;
  const { run } = target;
  const { ref, workflowId, runId } = run;
  const facts = {
    ref,
    workflowId,
    runId,
    url: runLink(ui, workflowId, runId),
    by: who.by,
    will: found.map((one) => ({ ref: one.run.ref, will: one.will })),
  };
  if (ended) {
    console.say(`${ref}: ended; no worker had taken it on, so nothing was begun, and its name is free`);
    console.document({ ...facts, state: 'ended', reports: [] });
    return EXIT.done;
  }
  for (const one of found) console.say(`${one.run.ref}: its cancellation is asked for: ${one.will}`);
  if (!wait) {
    if (!console.json) console.note(`see what it comes to: ${invocation()} status ${ref}`);
    console.document({ ...facts, state: 'cancelling' });
    return EXIT.done;
  }
  const interrupts = watchInterrupts();
  try {
    const seen = await follow({
      temporal,
      console,
      run,
      watched: affected(target),
      stopAtGate: false,
      signal: interrupts.signal,
    });
    if (seen === 'interrupted' || 'waitingAt' in seen) {
      console.document({ ...facts, state: 'cancelling' });
      return EXIT.interrupted;
    }
    return tellEnding(context, facts, seen.ended);
  } finally {
    interrupts.release();
  }
}

/** Cancelled is what was wanted; anything else is not. */
function tellEnding(context: Context, facts: object, ended: Ending): ExitCode {
  const { console } = context;
  const { reports, failure } = ended;
  for (const report of reports) {
    console.say();
    console.say(`${console.paint.bold(report.ref)}: ${outcomeWord(report, console.paint)}`);
    endingLines(report).forEach((line) => console.say(line));
  }
  console.document({ ...facts, state: 'ended', reports, failure });
  const others = reports.filter(({ outcome }) => outcome !== 'cancelled');
  if (others.length === 0 && (failure === null || failure.type === 'cancelled')) return EXIT.done;
  const completed = others.filter(({ outcome }) => outcome === 'completed').map(({ ref }) => ref);
  if (completed.length === 0) return exitCodeOfEnding(context, ended);
  console.note(`error: the cancellation came too late for ${completed.join(', ')}: completed`);
  return EXIT.failed;
}
