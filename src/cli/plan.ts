/**
 * `keyturn plan`: every step a run would take, who approves, how long it waits, and what its first step would find: as the workers
 * that would carry it out say, for their inventory, variables and disks are what counts. Nothing is written.
 */
import { formatMilliseconds, milliseconds } from '../domain/durations.js';
import { parsePreviewInput } from '../domain/messages.js';
import type { Preview, ReadinessLine } from '../domain/preview.js';
import type { RotationPlan } from '../domain/plan.js';
import { formatRef } from '../domain/refs.js';
import type { StepOutline } from '../domain/steps.js';
import { foreseenSteps, runbookFor } from '../runbooks/index.js';
import { isExposed } from '../domain/reason.js';
import { overlapMilliseconds } from '../runbooks/session/steps.js';
import { delayOf } from '../runbooks/database-swap/steps.js';
import type { ApprovalSpec } from '../domain/specs/policy.js';
import { comparePlans } from './compare-plans.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { invocation, quoteArgument } from './invocation.js';
import { openInventory, type OpenInventory } from './open-inventory.js';
import { selectorArgument } from './selectors.js';
import { readSettings } from './settings.js';
import { typedInput } from './typed-input.js';

export interface PlanOptions {
  readonly operator: string;
  readonly reason: RotationPlan['reason'];
  /** False after `--no-checks`. */
  readonly checks: boolean;
  readonly flows?: boolean;
}

interface Planned {
  readonly plan: RotationPlan;
  readonly steps: readonly StepOutline[];
  /** Who answered; null: nobody, or nobody was asked. */
  readonly worker: string | null;
  /** null: not asked for. */
  readonly checks: readonly ReadinessLine[] | null;
}

/** Exit 1 when a run would stop at its first step; 5 when a worker that it needs cannot be asked. */
export async function plan(context: Context, refText: string, options: PlanOptions): Promise<ExitCode> {
  const selector = selectorArgument(refText);
  const inventory = await openInventory(await readSettings(context));
  const refs = inventory.expand(selector);
  const [runbook = ''] = refs.map((ref) => runbookFor(inventory.kindOf(ref), ref).workflow);
  const { operator, reason, checks, flows = false } = options;
  const input = typedInput(
    () => parsePreviewInput({ ...selector, operator, reason, flows }),
    `plan ${refText} --operator ana@example.test`,
  );
  if (checks) context.console.transient(`asking the workers of ${formatRef(selector)}`);
  const planned = checks
    ? (await (await import('./ask-workers.js')).askWorkers(context, input)).map((one) => asAnswered(one, inventory))
    : refs.map((ref) => asWrittenHere(inventory.plan(ref, { operator, reason })));
  context.console.settle();
  const verdict = verdictOf(planned);
  context.console.document({ ref: formatRef(selector), runbook, ready: READY[verdict], plans: planned });
  if (!context.console.json) {
    planned.forEach((one, index) => show(context, runbook, one, index > 0));
    context.console.say();
    const command = `${invocation()} rotate ${formatRef(selector)} --operator ${quoteArgument(operator)} --reason ${reason} --wait`;
    context.console.say(WORDS[verdict](command));
  }
  return EXITS[verdict];
}

function asAnswered({ plan: made, worker, lines }: Preview, inventory: OpenInventory): Planned {
  return { plan: made, steps: foreseenSteps(made), worker, checks: [...comparePlans(made, inventory), ...lines] };
}

function asWrittenHere(made: RotationPlan): Planned {
  return { plan: made, steps: foreseenSteps(made), worker: null, checks: null };
}

type Verdict = 'ready' | 'would stop' | 'nobody answered' | 'not asked';

function verdictOf(planned: readonly Planned[]): Verdict {
  if (planned.some(({ worker, checks }) => checks?.some(({ state }) => state === 'problem') && worker !== null))
    return 'would stop';
  if (planned.some(({ checks }) => checks === null)) return 'not asked';
  return planned.some(({ worker }) => worker === null) ? 'nobody answered' : 'ready';
}

const READY: Readonly<Record<Verdict, boolean | null>> = {
  ready: true,
  'would stop': false,
  'nobody answered': false,
  'not asked': null,
};
const EXITS: Readonly<Record<Verdict, ExitCode>> = {
  ready: EXIT.done,
  'would stop': EXIT.failed,
  'nobody answered': EXIT.unreachable,
  'not asked': EXIT.done,
};
const WORDS: Readonly<Record<Verdict, (command: string) => string>> = {
  ready: (command) => `start it: ${command}`,
  'would stop': () => 'a run would stop at its first step; nothing has been changed',
  'nobody answered': () => 'what a run would find there is not known; nothing has been changed',
  'not asked': (command) => `no worker was asked whether it is ready; start it: ${command}`,
};

function show(
  { console }: Context,
  runbook: string,
  { plan: made, steps, worker, checks }: Planned,
  separate: boolean,
): void {
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
  const change = isExposed(made.reason) ? steps.find(({ key }) => CHANGES.includes(key)) : undefined;
  if (change)
    console.say(
      `  From "${change.title}" on a cancellation comes too late; only the failure of a step "undone on failure" leads back.`,
    );
  console.say();
  console.say(`  who approves: ${approvalText(made.approval, steps)}`);
  const waits = waitText(made);
  if (waits) console.say(`  it waits: ${waits}`);
  console.say();
  if (checks === null) {
    console.say('  as the inventory here has it; no worker was asked');
    return;
  }
  const marks = { ok: paint.green('✓'), warning: paint.yellow('!'), problem: paint.red('✗') };
  console.say(worker === null ? '  not asked:' : `  asked now, changing nothing, of the worker ${worker}:`);
  for (const line of checks) {
    console.say(`  ${marks[line.state]} ${line.question}: ${line.answer}`);
  }
}

/** With which the services begin to get the new value. */
const CHANGES: readonly string[] = ['stop', 'accept', 'switch'];

function approvalText(approval: ApprovalSpec, steps: readonly StepOutline[]): string {
  const gates = [...approval.gates, ...(steps.some(({ key }) => key === 'take-on') ? ['unproven'] : [])];
  if (gates.length === 0) return 'nobody, no gates';
  const who = approval.allowed?.join(' or ') ?? 'anyone';
  const not = approval.requesterMayApprove ? '' : ' but the operator';
  const quorum = approval.approvers > 1 ? `, ${approval.approvers} different people` : '';
  return `${who}${not}${quorum}, at ${gates.join(' and ')}`;
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
