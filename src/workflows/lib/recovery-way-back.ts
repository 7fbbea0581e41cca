/**
 * The way back from a recovery, until people begin to enter credentials again: the services as they were, rows out of the
 * quarantine and under the old key, the new key destroyed if nothing needs it.
 *
 * A run that goes on from a terminated one takes back what that one had come to as well, wherever it fails itself: the other's rows
 * are under a key that stands nowhere but in the store.
 */
import type { RecoveryHold } from '../../activities/recovery-activities.js';
import type { LeftBehind } from '../../activities/rotation-activities.js';
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { persistentLongEffects } from './activities.js';
import { asApplicationFailure } from './failures.js';
import { undoesRollOut, type RollOutOptions } from './rollout.js';
import type { Run } from './run.js';
import type { StandingServices } from './standing-services.js';
import { sweepUntilDone } from './sweeps.js';

export interface WayBackOptions {
  readonly run: Run<'stage' | 'stop' | 'recover' | 'switch'>;
  readonly hold: RecoveryHold;
  readonly services: StandingServices;
  readonly left: LeftBehind | null;
  /** Unreadable rows that are in their tables still. */
  readonly lost: boolean;
  /** Some services cannot be stopped: they write while rows are taken back. */
  readonly runOn: boolean;
}

export class WayBack {
  private back: Evidence | null = null;

  constructor(private readonly options: WayBackOptions) {
    const { run, left } = options;
    if (left)
      run.earlier.settled(
        `run ${left.rotation} had come to "${left.arrangement}": its key is kept, with the rows that it has moved, and keyturn recover goes on from there`,
        false,
      );
  }

  /** Before the first step that is to be undone. */
  register(): void {
    const { run, left } = this.options;
    run.undoes('stage', () => this.discard());
    if (!left) return;
    run.undoes('stop', () => this.start());
    run.undoes('recover', () => this.rows());
    undoesRollOut(run, 'switch', this.switching);
  }

  /** How these steps are undone, unless that is registered already. */
  of(step: 'stop' | 'recover'): { undo?: () => Promise<Evidence> } {
    if (this.options.left) return {};
    return { undo: () => (step === 'stop' ? this.start() : this.rows()) };
  }

  get switching(): RollOutOptions & { readonly from: 'old only' } {
    const { hold, services, left } = this.options;
    return {
      from: 'old only',
      hold,
      atAnyTime: true,
      keepsLock: true,
      undoKnown: left !== null,
      beforeUndo: async () => {
        await this.demandNothingEntered();
        await services.stop('back');
        await this.takeRowsBack();
      },
      beforeDeploy: () => {
        services.runAgain();
        return Promise.resolve();
      },
    };
  }

  private start(): Promise<Evidence> {
    return this.options.services.start();
  }

  /** Who was not stopped has written under the new key until its deploy: that is found once it has the old one. */
  private async rows(): Promise<Evidence> {
    const { run, hold, runOn } = this.options;
    const back = await this.takeRowsBack();
    if (!runOn) return back;
    const toOld = { direction: 'back to the old key', unreadable: 'tell', writers: 'refuse' } as const;
    const { summary } = await sweepUntilDone(run, 'recover', hold, toOld);
    return { summary: `${back.summary}; then ${summary}` };
  }

  /** Once: it holds the tables against writers, and after the undo of the switch the services write again. */
  private async takeRowsBack(): Promise<Evidence> {
    const { run, hold } = this.options;
    const what = 'Undo: rows out of quarantine, under the old key';
    return (this.back ??= await persistentLongEffects(what, run.plan.taskQueue).undoRecovery(hold));
  }

  private async discard(): Promise<Evidence> {
    const { run, hold, left } = this.options;
    const what = 'Undo: discard the staged key, which no row needs';
    const evidence = await persistentLongEffects(what, run.plan.taskQueue).discardKey(hold);
    if (left)
      run.earlier.settled(`run ${left.rotation} is taken back too: its key is destroyed, and no row is under it`, true);
    return evidence;
  }

  /**
   * An earlier run may have been past its point of no return. What people have entered is not taken from them, nor its place, and
   * what was destroyed does not come back.
   */
  private async demandNothingEntered(): Promise<void> {
    const { run, hold, services, left, lost } = this.options;
    if (!left?.arrangement.startsWith('new')) return;
    const what = 'Undo: has anything been entered again?';
    const found = await persistentLongEffects(what, run.plan.taskQueue).findReentries(hold);
    const destroyed = found.quarantined === 0 && !lost;
    if (found.entered === 0 && !destroyed) return;
    await services.start();
    const why = destroyed ? 'no quarantine is left' : found.summary;
    throw asApplicationFailure(
      new KeyturnError('entered-again', `${why}: what run ${left.rotation} had come to is not taken back`, {
        hint: 'the services have the new key, which is kept, as are the old one and what is in quarantine; mend what failed, then start keyturn recover again: it goes on from here',
      }),
    );
  }
}
