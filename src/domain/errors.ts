/**
 * The one error that adapters throw. Its message is safe to show anywhere: it never carries a secret value.
 */

/** What the failed operation did to the world, so that the reader (and the undo) knows where things stand. */
export type Effect = 'none' | 'applied' | 'unknown';

export interface KeyturnErrorOptions {
  /** What the reader can do about it, in the imperative. */
  readonly hint?: string;
  /** Defaults to `none`. */
  readonly effect?: Effect;
  /** Whether the same call may succeed later without anyone changing anything. Defaults to `false`. */
  readonly retryable?: boolean;
  /**
   * What the failing thing looks like and last said, for the person who must find out why: several lines, at most about a hundred
   * of 300 characters each, redacted. The message stays one line without it.
   */
  readonly diagnosis?: string;
  readonly cause?: unknown;
}

export class KeyturnError extends Error {
  override readonly name = 'KeyturnError';
  readonly hint: string | undefined;
  readonly effect: Effect;
  readonly retryable: boolean;
  readonly diagnosis: string | undefined;

  /** @param code kebab-case and stable: tests, dashboards and retry policies match on it. */
  constructor(
    readonly code: string,
    message: string,
    options: KeyturnErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
    this.effect = options.effect ?? 'none';
    this.retryable = options.retryable ?? false;
    this.diagnosis = options.diagnosis;
  }
}
