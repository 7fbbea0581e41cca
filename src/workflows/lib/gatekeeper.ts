/**
 * Gates of one run: where decisions arrive (signals for the UI, updates for the CLI), and where the runbook waits for them.
 * Both ways ask domain/gate.ts; an update's caller sees a refusal, a signal's refusal goes on the run's record.
 */
import {
  condition,
  isCancellation,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
} from '@temporalio/workflow';
import {
  decisionInWords,
  nextReminder,
  openGate,
  refusal,
  saidBy,
  whoMayDecide,
  type ClosedGate,
  type DecidedBy,
  type Verdict,
} from '../../domain/gate.js';
import {
  CANCELLED_BY,
  parseCancellation,
  parseDecision,
  STEER_SAMPLE,
  type DecisionInput,
} from '../../domain/messages.js';
import { FewLines, MOST_CHARACTERS, oneLine } from '../../domain/one-line.js';
import type { ApprovalSpec } from '../../domain/specs/policy.js';
import type { OpenGate } from '../../domain/status.js';
import { answer, asApplicationFailure, Rejected } from './failures.js';
import {
  approveSignal,
  approveUpdate,
  cancelledBySignal,
  DESCRIPTIONS,
  rejectSignal,
  rejectUpdate,
  type DecisionResult,
} from './gate-messages.js';
import { Resets } from './resets.js';
import { tolerateUnreadableMessages } from './unreadable-messages.js';

export class Gatekeeper {
  readonly resets = new Resets();
  open: OpenGate | null = null;
  /** Who says so last; true only of a run that is cancelled. */
  cancelledBy: string | null = null;
  // Whatever a script sends in a loop, and however long: a record of fixed size.
  private readonly refused = new FewLines({ first: 0, last: 20, characters: MOST_CHARACTERS });
  private readonly noted = new FewLines({ first: 10, last: 10, characters: 3_000 });
  private readonly closed: (ClosedGate & { readonly inWords: string })[] = [];

  private changed: () => void = () => undefined;

  /** Called after every change that people can see. */
  onChange(changed: () => void): void {
    this.changed = changed;
  }

  /** First thing in a workflow, so that a decision that comes too early is answered, not lost. */
  register(): void {
    tolerateUnreadableMessages();
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
    setHandler(cancelledBySignal, (input) => this.takeCancelledBy(input), {
      description: `Who cancels this run, for its record. It cancels nothing by itself: Request Cancellation does. Input: ${STEER_SAMPLE}`,
    });
    setDefaultSignalHandler((name) =>
      this.refuse(`signal "${oneLine(name, 60)}": there is no such signal; send approve or reject`),
    );
    setDefaultUpdateHandler((name) => {
      throw answer('bad-input', `there is no update "${oneLine(name, 60)}"; send approve or reject`);
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
    try {
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
    } catch (error) {
      // Cancelled: while the run is undone nobody is asked any more, and nobody's approval counts.
      this.takeBack();
      throw error;
    }
    if (moot()) {
      this.takeBack();
      return null;
    }
    const outcome = outcomeOf();
    if (outcome?.verdict === 'approved') return outcome.inWords;
    throw new Rejected(outcome?.inWords ?? `"${name}" was rejected`);
  }

  private takeBack(): void {
    this.open = null;
    this.changed();
  }

  private takeCancelledBy(input: unknown): void {
    try {
      this.refuseOld();
      const { by, note } = parseCancellation(input);
      this.cancelledBy = saidBy({ by, note: note ?? null });
    } catch (error) {
      this.refuseSignal(CANCELLED_BY, input, error);
    }
  }

  private takeSignal(verdict: Verdict, input: unknown): void {
    try {
      this.decide(verdict, this.admit(verdict, input));
    } catch (error) {
      this.refuseSignal(verdict, input, error);
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
    if (reason) throw answer('refused', oneLine(reason));
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

  get refusals(): readonly string[] {
    return this.refused.lines;
  }

  /** What people did besides deciding, for the ledger. */
  get notes(): readonly string[] {
    return this.noted.lines;
  }

  note(line: string): void {
    this.noted.add(line);
    this.changed();
  }

  refuse(line: string): void {
    this.refused.add(line);
    this.changed();
  }

  /** A signal has no caller who could be told. */
  refuseSignal(name: string, input: unknown, error: unknown): void {
    const by = typeof input === 'object' && input !== null && 'by' in input ? input.by : null;
    // Only a text: the words of anything else are made by what was sent, and may throw.
    const who = typeof by === 'string' ? oneLine(by, 60) : 'unknown';
    this.refuse(`${name} by ${who} refused: ${error instanceof Error ? error.message : String(error)}`);
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
