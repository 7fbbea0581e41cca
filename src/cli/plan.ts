/** `keyturn plan`: every step a run would take, who approves, how long it waits, and the checks made now; nothing is written. */
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import { KeyturnError } from '../domain/errors.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef } from '../domain/refs.js';
import type { StepOutline } from '../domain/outline.js';
import { outlineOf } from '../domain/outline-of.js';
import { overlapMilliseconds } from '../domain/session-runbook.js';
import { delayOf } from '../domain/swap-runbook.js';
import type { ApprovalSpec } from '../domain/specs/policy.js';
import type { ReadinessLine } from '../activities/readiness.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { invocation, quoteArgument } from './invocation.js';
import { openInventory } from './open-inventory.js';
import { runbookFor } from './runbooks.js';
import { selectorArgument } from './selectors.js';
import { readSettings, type Settings } from './settings.js';

export interface PlanOptions {
  readonly operator: string;
  readonly reason: RotationPlan['reason'];
  /** False after `--no-checks`. */
  readonly checks: boolean;
}

interface Planned {
  readonly plan: RotationPlan;
  readonly steps: readonly StepOutline[];
  /** null: not asked for. */
  readonly checks: readonly ReadinessLine[] | null;
}

/** Exit 1 when a check says that a run would stop at its first step. */
export async function plan(context: Context, refText: string, options: PlanOptions): Promise<ExitCode> {
  const selector = selectorArgument(refText);
  const settings = await readSettings(context);
  const inventory = await openInventory(settings);
  const refs = inventory.expand(selector);
  const runbook = runbookFor(refs.map((ref) => inventory.kindOf(ref)));
  const planned: Planned[] = [];
  for (const ref of refs) {
    const { operator, reason } = options;
    const made = inventory.plan(ref, { operator, reason });
    context.console.transient(`asking stores, services and the ledger of ${formatRef(ref)}`);
    const checks = options.checks ? await checksOf(made, settings) : null;
    planned.push({ plan: made, steps: outlineOf(made), checks });
  }
  context.console.settle();
  const ready = planned.every(({ checks }) => checks?.every((line) => line.state !== 'problem') ?? true);
  context.console.document({ ref: formatRef(selector), runbook, ready, plans: planned });
  if (!context.console.json) {
    planned.forEach((one, index) => show(context, runbook, one, index > 0));
    context.console.say();
    const command = `${invocation()} rotate ${formatRef(selector)} --operator ${quoteArgument(options.operator)} --reason ${options.reason} --wait`;
    context.console.say(
      ready ? `start it: ${command}` : 'a run would stop at its first step; nothing has been changed',
    );
  }
  return ready ? EXIT.done : EXIT.failed;
}

/** Loaded only now: it brings the worker's whole wiring. */
async function checksOf(made: RotationPlan, settings: Settings): Promise<ReadinessLine[]> {
  const lines = await (await import('./preview.js')).preview(made, settings);
  return settings.temporal === null ? lines : [...lines, await workerLine(made.taskQueue, settings.temporal)];
}

/** A run that nobody serves does not fail: it waits, which is a warning. */
async function workerLine(taskQueue: string, place: NonNullable<Settings['temporal']>): Promise<ReadinessLine> {
  const question = 'worker';
  try {
    const temporal = await (await import('./temporal.js')).connectTemporal(place);
    try {
      const { isPolled, unservedText } = await import('./unserved.js');
      return (await isPolled(temporal, taskQueue))
        ? { question, state: 'ok', answer: `one polls the task queue "${taskQueue}"` }
        : { question, state: 'warning', answer: unservedText(taskQueue) };
    } finally {
      await temporal.close();
    }
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    return { question, state: 'warning', answer: error.message };
  }
}

function show({ console }: Context, runbook: string, { plan: made, steps, checks }: Planned, separate: boolean): void {
  const { paint } = console;
  if (separate) console.say();
  console.say(`${paint.bold(formatRef(made.ref))}: ${runbook}, ${made.method} (${made.kind}, reason: ${made.reason})`);
  console.say(
    paint.dim(`plan ${made.digest}, from ${made.inventoryFile}, carried out on task queue ${made.taskQueue}`),
  );
  for (const decision of made.decisions) console.say(`  - ${decision}`);
  console.say();
  steps.forEach((step, index) => {
    const undo = step.undo === 'nothing to undo' ? '' : paint.dim(` [${step.undo}]`);
    console.say(`  ${String(index + 1).padStart(2)}. ${step.title}: ${step.detail}${undo}`);
  });
  console.say();
  console.say(`  who approves: ${approvalText(made.approval)}`);
  const waits = waitText(made);
  if (waits) console.say(`  it waits: ${waits}`);
  if (checks === null) return;
  console.say();
  const marks = { ok: paint.green('✓'), warning: paint.yellow('!'), problem: paint.red('✗') };
  console.say('  checked now, touching nothing:');
  for (const line of checks) {
    console.say(`  ${marks[line.state]} ${line.question}: ${line.answer}`);
  }
}

function approvalText(approval: ApprovalSpec): string {
  if (approval.gates.length === 0) return 'nobody, no gates';
  const who = approval.allowed?.join(' or ') ?? 'anyone';
  const not = approval.requesterMayApprove ? '' : ' but the operator';
  const quorum = approval.approvers > 1 ? `, ${approval.approvers} different people` : '';
  return `${who}${not}${quorum}, at ${approval.gates.join(' and ')}`;
}

/** The waits that no person can hurry: people's decisions and deploys come on top. */
function waitText({ overlap, monitors, watch, window, swap }: RotationPlan): string {
  const parts: string[] = [];
  if (window) parts.push(`for the maintenance window ${window.opens} (${window.timeZone})`);
  if (monitors.length > 0) parts.push(`${formatMilliseconds(milliseconds(watch))} watching monitors`);
  if (overlap)
    parts.push(
      `${formatMilliseconds(overlapMilliseconds(overlap))} until everything signed with the old value has expired`,
    );
  if (swap && swap.strategy !== 'same-role' && delayOf(swap) > 0)
    parts.push(`${swap.delay} before the old role is dropped`);
  return parts.join(', ');
}
