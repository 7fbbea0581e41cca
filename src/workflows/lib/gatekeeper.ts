/**
 * Gates of one run: where decisions arrive (signals for the UI, updates for the CLI), and where the runbook waits for them.
 * Both ways ask domain/gate.ts; an update's caller sees a refusal, a signal's refusal goes on the run's record.
 */
import {
  condition,
  isCancellation,
  defineSignal,
  defineUpdate,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
} from '@temporalio/workflow';
import {
  decisionInWords,
  nextReminder,
  openGate,
  refusal,
  whoMayDecide,
  type ClosedGate,
  type DecidedBy,
  type Verdict,
} from '../../domain/gate.js';
import { APPROVE, DECISION_SAMPLE, parseDecision, REJECT, type DecisionInput } from '../../domain/messages.js';
import type { ApprovalSpec } from '../../domain/specs/policy.js';
import type { OpenGate } from '../../domain/status.js';
import { answer, asApplicationFailure, Rejected } from './failures.js';
import { Resets } from './resets.js';

export interface DecisionResult {
  readonly gate: string;
  readonly state: 'approved' | 'rejected' | 'more approvals needed';
  readonly approvals: number;
  readonly needed: number;
}

export const approveSignal = defineSignal<[DecisionInput]>(APPROVE);
export const rejectSignal = defineSignal<[DecisionInput]>(REJECT);
export const approveUpdate = defineUpdate<DecisionResult, [DecisionInput]>(APPROVE);
export const rejectUpdate = defineUpdate<DecisionResult, [DecisionInput]>(REJECT);

const DESCRIPTIONS: Record<Verdict, string> = {
  approve: `Approve the open gate. Input: ${DECISION_SAMPLE}; optional "gate" and "plan" bind the decision.`,
  reject: `Reject the open gate: the rotation is undone. Input: ${DECISION_SAMPLE}; optional "gate" and "plan".`,
};

export class Gatekeeper {
  readonly resets = new Resets();
  open: OpenGate | null = null;
  readonly refusals: string[] = [];
  readonly notes: string[] = [];
  private readonly closed: (ClosedGate & { readonly inWords: string })[] = [];

  private changed: () => void = () => undefined;

  /** Called after every change that people can see. */
  onChange(changed: () => void): void {
    this.changed = changed;
  }

  /** First thing in a workflow, so that a decision that comes too early is answered, not lost. */
  register(): void {
    this.resets.watch();
    for (const [verdict, signal, update] of [
      ['approve', approveSignal, approveUpdate],
      ['reject', rejectSignal, rejectUpdate],
    ] as const) {
      const description = DESCRIPTIONS[verdict];
      setHandler(signal, (input) => this.takeSignal(verdict, input), { description });
      setHandler(update, (input) => this.decide(verdict, this.admit(verdict, input)), {
        description,
        validator: (input) => void this.admit(verdict, input),
      });
    }
    setDefaultSignalHandler((name) => this.refuse(`signal "${name}": there is no such signal; send approve or reject`));
    setDefaultUpdateHandler((name) => {
      throw answer('bad-input', `there is no update "${name}"; send approve or reject`);
    });
  }

  /**
   * Opens a gate and waits for its decision.
   * @param remind told at 1 h, 2 h, 4 h … (`remindAfter`), each once.
   * @param options.moot asked again and again: true takes the question back, since what it asked about is gone.
   * @returns one sentence for the record; null when the question was taken back. @throws Rejected when people or the deadline say no.
   */
  async pass(options: {
    name: string;
    question: string;
    plan: string;
    requester: string;
    policy: ApprovalSpec;
    remind: (gate: OpenGate, sent: number) => Promise<void>;
    moot?: () => boolean;
    afterDenial?: string;
  }): Promise<string | null> {
    const { policy, name } = options;
    const gate = openGate({ ...options, now: Date.now() });
    this.open = gate;
    this.changed();
    const { length: before } = this.closed;
    const outcomeOf = () => this.closed.slice(before).find((closed) => closed.name === name);
    const moot = (): boolean => outcomeOf() === undefined && (options.moot?.() ?? false);
    const decided = (): boolean => outcomeOf() !== undefined || moot();
    const summary = `Decision "${name}": ${whoMayDecide(gate)}`.slice(0, 190);
    for (let sent = 0; !decided(); sent += 1) {
      const left = Date.parse(gate.expiresAt) - Date.now();
      if (left <= 0) {
        this.close(policy.onExpiry === 'approve' ? 'approved' : 'expired', 'deadline');
        break;
      }
      const pause = Math.min(left, nextReminder(policy, sent));
      if (await condition(decided, pause, { summary })) break;
      if (pause < left) await remindOnce(() => options.remind(gate, sent + 1));
    }
    if (moot()) {
      this.open = null;
      this.changed();
      return null;
    }
    const outcome = outcomeOf();
    if (outcome?.verdict === 'approved') return outcome.inWords;
    throw new Rejected(outcome?.inWords ?? `"${name}" was rejected`);
  }

  private takeSignal(verdict: Verdict, input: unknown): void {
    try {
      this.decide(verdict, this.admit(verdict, input));
    } catch (error) {
      const by =
        typeof input === 'object' && input !== null && 'by' in input ? String(input.by).slice(0, 120) : 'unknown';
      this.refuse(`${verdict} by ${by} refused: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** @throws ApplicationFailure `bad-input` or `refused`; never anything else, which would stall or fail the whole run. */
  private admit(verdict: Verdict, input: unknown): DecisionInput {
    let decision: DecisionInput;
    try {
      decision = parseDecision(input);
    } catch (error) {
      throw asApplicationFailure(error);
    }
    this.refuseOld();
    const reason = refusal(decision, verdict, {
      open: this.open,
      closed: this.closed,
      mustNamePlan: this.resets.happened,
    });
    if (reason) throw answer('refused', reason);
    return decision;
  }

  /** @throws ApplicationFailure `refused` for what people had sent before the run was reset, and arrives again with the reset. */
  refuseOld(): void {
    if (this.resets.now)
      throw answer(
        'refused',
        'it came together with a reset of this run, as old messages do: look again, and send it anew',
      );
  }

  /** Only after `admit`, which has seen that a gate is open. */
  private decide(verdict: Verdict, decision: DecisionInput): DecisionResult {
    if (!this.open) throw answer('refused', 'no gate is open');
    const approval = { by: decision.by, at: new Date(Date.now()).toISOString(), note: decision.note ?? null };
    const approvals = verdict === 'approve' ? [...this.open.approvals, approval] : this.open.approvals;
    const { name, approversNeeded: needed } = this.open;
    this.open = { ...this.open, approvals };
    if (verdict === 'reject') this.close('rejected', approval);
    else if (approvals.length >= needed) this.close('approved', 'quorum');
    this.changed();
    const closed = this.closed.find((gate) => gate.name === name);
    const state = closed ? (closed.verdict as 'approved' | 'rejected') : 'more approvals needed';
    return { gate: name, state, approvals: approvals.length, needed };
  }

  private close(verdict: ClosedGate['verdict'], decided: DecidedBy): void {
    const { open } = this;
    if (!open) return;
    const people = open.approvals.map(({ by }) => by).join(', ');
    const by = decided === 'deadline' ? 'the deadline' : decided === 'quorum' ? people : decided.by;
    const at = new Date(Date.now()).toISOString();
    this.closed.push({ name: open.name, verdict, by, at, inWords: decisionInWords(open, verdict, decided) });
    this.open = null;
  }

  /** What people did besides deciding, for the ledger's notes. */
  note(line: string): void {
    if (this.notes.length < 50) this.notes.push(line);
    this.changed();
  }

  refuse(line: string): void {
    // Bounded: a script that signals in a loop must not grow the record for ever.
    if (this.refusals.length < 50) this.refusals.push(line);
    this.changed();
  }
}

/** A reminder that cannot be sent is no reason to undo a rotation; a cancellation is. */
async function remindOnce(remind: () => Promise<void>): Promise<void> {
  try {
    await remind();
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}
