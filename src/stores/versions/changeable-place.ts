/**
 * The place of a store's values: the files that the application reads and the sidecar beside them, read together, and changed by one
 * process at a time. A change starts over when somebody has edited a file since it was read.
 */
import { KeyturnError } from '../../domain/errors.js';
import type { SecretSlot } from '../../domain/slot.js';
import { fileError } from '../files/file-errors.js';
import { lockFile, type FileLock, type LockTiming } from '../files/file-lock.js';
import { removeTemporaries } from '../files/replace-file.js';
import { afterTheChange, assertUnchanged } from './change-errors.js';
import type { Look, Medium } from './medium.js';
import { loadSidecar, saveSidecar, sidecarPath, slotId, type Sidecar } from './sidecar.js';
import type { FaultPoint } from './write-changes.js';

/** How often a change starts over because a file was edited between reading and replacing it. */
const ATTEMPTS = 5;

export interface Opened<L extends Look> {
  /** The file or directory, behind any symlink. */
  readonly place: string;
  readonly look: L;
  readonly sidecar: Sidecar;
}

/** Held while a change is made. */
export interface Turn {
  readonly lock: FileLock;
  /** Whether the application may already be shown something else. */
  applied: boolean;
}

export interface ChangeOptions {
  readonly lock?: LockTiming;
  /** Told after every step that leaves a trace in the file system; tests kill the process there. */
  readonly faultPoint?: FaultPoint;
}

export class ChangeablePlace<L extends Look> {
  constructor(
    private readonly medium: Medium<L>,
    private readonly options: ChangeOptions,
  ) {}

  /** The sidecar may name places that the inventory names otherwise by now. */
  async open(slots: readonly SecretSlot[]): Promise<Opened<L>> {
    const place = await this.medium.locate();
    const sidecar = await loadSidecar(place);
    const look = await this.medium.look(slots.flatMap((slot) => [slot, sidecar.entries[slotId(slot)] ?? slot]));
    return { place, look, sidecar };
  }

  /** Runs `change` under the place's lock, again from the start when a file was edited in between. */
  async exclusively<T>(slot: SecretSlot, change: (opened: Opened<L>, turn: Turn) => Promise<T>): Promise<T> {
    const place = await this.medium.locate();
    const turn: Turn = { lock: await lockFile(`${sidecarPath(place)}.lock`, this.options.lock), applied: false };
    try {
      await this.options.faultPoint?.('locked');
      await removeTemporaries(sidecarPath(place));
      for (let attempt = 1; ; attempt += 1) {
        try {
          const opened = await this.open([slot]);
          for (const { path } of opened.look.seen) await removeTemporaries(path);
          return await change(opened, turn);
        } catch (error) {
          const edited = error instanceof KeyturnError && error.code === 'changed-meanwhile' && error.retryable;
          if (!edited || attempt === ATTEMPTS) throw error;
        }
      }
    } catch (error) {
      const failure = fileError(error, `change ${place}`, 'unknown');
      throw turn.applied ? afterTheChange(failure) : failure;
    } finally {
      await turn.lock.release();
    }
  }

  /** Writes the sidecar. @returns the place as it is then. */
  async save(opened: Opened<L>, entries: Sidecar['entries'], turn: Turn): Promise<Opened<L>> {
    const { look, sidecar } = opened;
    const { faultPoint } = this.options;
    const guard = async () => {
      await turn.lock.stillHeld();
      await assertUnchanged(look.seen);
    };
    await saveSidecar(sidecar, entries, { guard, ...(faultPoint && { faultPoint }) });
    return { ...opened, sidecar: { ...sidecar, entries } };
  }
}
