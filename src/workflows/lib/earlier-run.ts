/** The run that was ended before this one, as far as this one has to do with it. */
import type { LeftBehind } from '../../activities/rotation-activities.js';
import { isExposed, type Reason } from '../../domain/reason.js';

export class EarlierRun {
  /** The run whose value this one goes on with, although it was made before others were known to have the secret. */
  older: string | null = null;
  /** How its versions stand; `changed`: by this run. */
  stands: { readonly line: string; readonly changed: boolean } | null = null;
  private wasExposed = false;

  constructor(private readonly reason: Reason) {}

  /**
   * This run goes on with what that one had staged or made. Where others may have the secret, they may have that too: it is used to be
   * rid of what came before it, and then replaced in its turn.
   */
  isGoneOnWith({ rotation, exposed }: Pick<LeftBehind, 'rotation' | 'exposed'>): void {
    if (isExposed(this.reason)) this.older = rotation;
    this.isFinished({ exposed });
  }

  /** What it had begun is ended by this run. @param exposed it ran because others have, or may have, its old value. */
  isFinished({ exposed }: Pick<LeftBehind, 'exposed'>): void {
    this.wasExposed = exposed;
  }

  /** Others have, or may have, what this run destroys last: its own old value, or that of the run which it finishes. */
  get endsExposed(): boolean {
    return isExposed(this.reason) || this.wasExposed;
  }

  /** How its versions stand from now on, in whatever this run ends. @param changed this run did something to them. */
  settled(line: string, changed: boolean): void {
    this.stands = { line, changed };
  }
}
