/** What traffic saw of one system. Every request is counted once: served, refused or failed. */
import { redact } from '../../domain/secret-value.js';

import { Pace } from './pace.js';

/** Enough to see what went wrong; a broken system fails thousands of times in the same way. */
const FAILURES_KEPT = 20;
/** A request and an outcome make a reason: the pages times a few statuses. More than that is a flood of something else. */
const REASONS_KEPT = 200;
const OTHER_REASONS = 'anything else';

export interface Counts {
  readonly requests: number;
  /** Answered with 2xx. */
  readonly served: number;
  /** Of the served ones: requests that changed something. */
  readonly writes: number;
  /** 401 and 403. */
  readonly refused: number;
  /** No answer, 5xx, or any other status. */
  readonly failed: number;
  /** Sign-ins after each user's first. */
  readonly signedInAgain: number;
  readonly slowestMs: number;
}

export type Outcome = 'served' | 'refused' | 'failed';

export class Tally {
  #counts = { requests: 0, served: 0, writes: 0, refused: 0, failed: 0, signedInAgain: 0, slowestMs: 0 };
  readonly #failures: string[] = [];
  readonly #reasons = new Map<string, number>();
  readonly pace = new Pace();

  get counts(): Counts {
    return { ...this.#counts };
  }

  /** The first failures, redacted: `POST /api/media answered 503`. */
  get failures(): readonly string[] {
    return [...this.#failures];
  }

  /** Every request that was not served, counted: `GET /api/messages answered 401` → 3. Redacted. */
  get reasons(): ReadonlyMap<string, number> {
    return new Map(this.#reasons);
  }

  answered(what: string, { status, write, ms }: { status: number; write: boolean; ms: number }): Outcome {
    const outcome = outcomeOf(status);
    if (outcome === 'failed') this.#remember(`${what} answered ${status}`);
    if (outcome !== 'served') this.#reason(`${what} answered ${status}`);
    this.#count(outcome, ms);
    if (write && outcome === 'served') this.#counts.writes += 1;
    return outcome;
  }

  unanswered(what: string, error: unknown, ms: number): Outcome {
    const { code, message } = error as NodeJS.ErrnoException;
    this.#remember(`${what}: ${code ?? message}`);
    this.#reason(`${what}: ${code ?? message}`);
    this.#count('failed', ms);
    return 'failed';
  }

  signedInAgain(): void {
    this.#counts.signedInAgain += 1;
  }

  #count(outcome: Outcome, ms: number): void {
    this.pace.count();
    this.#counts.requests += 1;
    this.#counts[outcome] += 1;
    this.#counts.slowestMs = Math.max(this.#counts.slowestMs, Math.round(ms));
  }

  #reason(text: string): void {
    const known = redact(text);
    const reason = this.#reasons.has(known) || this.#reasons.size < REASONS_KEPT ? known : OTHER_REASONS;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  #remember(failure: string): void {
    if (this.#failures.length < FAILURES_KEPT) this.#failures.push(`${new Date().toISOString()} ${redact(failure)}`);
  }
}

function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return 'served';
  return status === 401 || status === 403 ? 'refused' : 'failed';
}
