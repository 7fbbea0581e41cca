/**
 * How people steer a wait: `extend`, `dropNow` and `abort`, as signals for the UI and as updates for the CLI. They count only
 * while such a wait goes on; an update's caller is told why not otherwise, a signal's refusal goes on the run's record.
 */
import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { milliseconds } from '../../domain/durations.js';
import { saidBy } from '../../domain/gate.js';
import {
  ABORT,
  DROP_NOW,
  EXTEND,
  EXTEND_SAMPLE,
  GO_ON_WITHOUT,
  parseSteer,
  STEER_SAMPLE,
  STEERING,
  STOP_HERE,
  TRY_AGAIN,
  type Steer,
  type SteerInput,
} from '../../domain/messages.js';
import { Aborted, answer, asApplicationFailure } from './failures.js';
import type { Gatekeeper } from './gatekeeper.js';

export interface SteerResult {
  readonly steer: Steer;
  /** ISO 8601: until when it is waited now; null: no longer. */
  readonly until: string | null;
}

export const steerSignals = {
  [EXTEND]: defineSignal<[SteerInput]>(EXTEND),
  [DROP_NOW]: defineSignal<[SteerInput]>(DROP_NOW),
  [ABORT]: defineSignal<[SteerInput]>(ABORT),
  [TRY_AGAIN]: defineSignal<[SteerInput]>(TRY_AGAIN),
  [GO_ON_WITHOUT]: defineSignal<[SteerInput]>(GO_ON_WITHOUT),
  [STOP_HERE]: defineSignal<[SteerInput]>(STOP_HERE),
};
const steerUpdates = {
  [EXTEND]: defineUpdate<SteerResult, [SteerInput]>(EXTEND),
  [DROP_NOW]: defineUpdate<SteerResult, [SteerInput]>(DROP_NOW),
  [ABORT]: defineUpdate<SteerResult, [SteerInput]>(ABORT),
  [TRY_AGAIN]: defineUpdate<SteerResult, [SteerInput]>(TRY_AGAIN),
  [GO_ON_WITHOUT]: defineUpdate<SteerResult, [SteerInput]>(GO_ON_WITHOUT),
  [STOP_HERE]: defineUpdate<SteerResult, [SteerInput]>(STOP_HERE),
};

const DESCRIPTIONS: Record<Steer, string> = {
  extend: `Keep the old role longer, counted from the deadline. Input: ${EXTEND_SAMPLE}`,
  dropNow: `Wait no longer: a decision about the drop is asked for at once. Input: ${STEER_SAMPLE}`,
  abort: `Go back to the old role: everything is undone. Input: ${STEER_SAMPLE}`,
  tryAgain: `Try the undo that fails once more, now. Input: ${STEER_SAMPLE}`,
  goOnWithout: `Leave what cannot be undone as it is, and undo the rest. Input: ${STEER_SAMPLE}`,
  stopHere: `Undo nothing more: a person does the rest. Input: ${STEER_SAMPLE}`,
};

const NOTES = {
  // The step that it ends says who wanted it.
  abort: null,
  dropNow: 'ended the wait early',
  tryAgain: 'had the undo tried again',
  goOnWithout: 'went on without an undo',
  stopHere: 'stopped the undo',
} as const;

/** An extension that was meant otherwise must not keep a role for years. */
const LONGEST_MS = 90 * 24 * 3_600_000;

export interface Asked {
  readonly steer: Steer;
  readonly by: string;
  /** Of an extension: milliseconds. */
  readonly longer: number;
}

export interface Wait {
  /** null: it ends otherwise (a gate is decided), and an extension is for the waiting code to act on. */
  until: number | null;
  readonly allowed: readonly Steer[];
  /** What somebody has asked for; the waiting code acts on it. */
  asked: Asked | null;
  changed: boolean;
}

/** How a wait ended: its time was up, or somebody wanted it over. */
export type Ended = { readonly by: null } | { readonly by: string };

export class Steering {
  private wait: Wait | null = null;

  constructor(private readonly gates: Gatekeeper) {}

  /** @param ways in which this run's waits can be steered at all: others are not in its menus. */
  register(ways: readonly Steer[] = STEERING): void {
    for (const steer of ways) {
      const description = DESCRIPTIONS[steer];
      setHandler(steerSignals[steer], (input) => this.takeSignal(steer, input), { description });
      setHandler(steerUpdates[steer], (input) => this.steer(steer, this.admit(steer, input)), {
        description,
        validator: (input) => void this.admit(steer, input),
      });
    }
  }

  /**
   * Waits until `until` (milliseconds, workflow time) or until `over` says so.
   * @param show told at the start and after each extension. @throws Aborted when somebody wants so.
   */
  async until(
    until: number,
    options: {
      allowed: readonly Steer[];
      summary: string;
      show: (until: string) => void;
      over?: () => boolean;
    },
  ): Promise<Ended> {
    const wait = this.listen(options.allowed, until);
    try {
      for (;;) {
        wait.changed = false;
        const deadline = wait.until ?? until;
        const iso = new Date(deadline).toISOString();
        options.show(iso);
        const left = deadline - Date.now();
        if (left <= 0) return { by: null };
        const summary = `${options.summary} (until ${iso})`.slice(0, 190);
        const stirred = await condition(() => wait.changed || (options.over?.() ?? false), left, { summary });
        if (wait.asked?.steer === ABORT) throw new Aborted(`aborted by ${wait.asked.by}`);
        if (wait.asked) return { by: wait.asked.by };
        if (!stirred || options.over?.()) return { by: null };
      }
    } finally {
      this.close();
    }
  }

  /** From now on people may steer in these ways, until `close`; whoever waits looks at what was `asked`. */
  listen(allowed: readonly Steer[], until: number | null = null): Wait {
    this.wait = { until, allowed, asked: null, changed: false };
    return this.wait;
  }

  close(): void {
    this.wait = null;
  }

  private takeSignal(steer: Steer, input: unknown): void {
    try {
      this.steer(steer, this.admit(steer, input));
    } catch (error) {
      this.gates.refuseSignal(steer, input, error);
    }
  }

  /** @throws ApplicationFailure `bad-input` or `refused`; never anything else, which would stall or fail the whole run. */
  private admit(steer: Steer, input: unknown): SteerInput {
    this.gates.refuseOld();
    let parsed: SteerInput;
    try {
      parsed = parseSteer(steer, input);
    } catch (error) {
      throw asApplicationFailure(error);
    }
    const { wait } = this;
    if (!wait)
      throw answer(
        'refused',
        'nothing is waited for now that could be steered; a gate is decided by approve or reject',
      );
    if (!wait.allowed.includes(steer)) {
      throw answer('refused', `"${steer}" does not fit what is waited for; possible: ${wait.allowed.join(', ')}`);
    }
    if (wait.asked) throw answer('refused', `${wait.asked.by} has ended this wait already ("${wait.asked.steer}")`);
    if (parsed.for !== undefined && (wait.until ?? Date.now()) + milliseconds(parsed.for) > Date.now() + LONGEST_MS) {
      throw answer('refused', 'that is more than 90 days from now; abort, and swap again when it fits');
    }
    return parsed;
  }

  /** Only after `admit`. */
  private steer(steer: Steer, { by, note, for: longer }: SteerInput): SteerResult {
    const { wait } = this;
    if (!wait) throw answer('refused', 'nothing is waited for now');
    const said = saidBy({ by, note: note ?? null });
    const more = longer === undefined ? 0 : milliseconds(longer);
    if (wait.until !== null && steer === EXTEND) wait.until += more;
    else wait.asked = { steer, by: said, longer: more };
    const did = steer === EXTEND ? `extended the wait by ${longer ?? ''}` : NOTES[steer];
    if (did !== null) this.gates.note(`${said} ${did}`);
    wait.changed = true;
    const until = steer === EXTEND ? (wait.until ?? Date.now() + more) : null;
    return { steer, until: until === null ? null : new Date(until).toISOString() };
  }
}
