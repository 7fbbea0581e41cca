/**
 * The three versions of a secret in files that an application reads. `current` is what stands there; `pending` and `previous`
 * wait beside it (sidecar.ts).
 *
 * `stage`, `discard` and `forget` write the sidecar only, `arrange` what the application reads only, and each file is written
 * whole. Which arrangement is in force is read off those files. So there is no moment in which a crash could leave the two at
 * odds, and repeating a call is all it takes to finish it.
 *
 * Codes besides the contract's: `busy` (another Keyturn process holds the place; retryable), `same-value`, `wrong-arrangement`.
 */
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { SecretValue } from '../../domain/secret-value.js';
import { pathOf } from '../../domain/place.js';
import { furtherOf, type Arrangement, type SecretSlot, type StagedBy } from '../../domain/slot.js';
import type { VersionLabel, Versions } from '../../domain/slot.js';
import { fileError } from '../files/file-errors.js';
import { lockFile, type FileLock, type LockTiming } from '../files/file-lock.js';
import { removeTemporaries } from '../files/replace-file.js';
import { assertReplaceable, resolveTarget } from '../files/replaceable.js';
import type { Fingerprinter } from '../fingerprint.js';
import type { Descriptions, SecretStore } from '../secret-store.js';
import {
  arrangementOf,
  arrangementsFor,
  nearestArrangement,
  othersBefore,
  othersOf,
  type Shown,
} from './arrangements.js';
import { afterTheChange, assertUnchanged, namesOf } from './change-errors.js';
import type { Look, Medium } from './medium.js';
import { loadSidecar, saveSidecar, sidecarPath, slotId, type Entry, type Sidecar } from './sidecar.js';
import { assertFree, newEntry } from './staging.js';
import { versionsOf } from './versions-of.js';
import { writeChanges, type FaultPoint } from './write-changes.js';

export interface VersionedStoreOptions {
  readonly fingerprint: Fingerprinter;
  readonly lock?: LockTiming;
  /** Where descriptions of whole stores are kept; default: each is made anew. */
  readonly descriptions?: Descriptions;
  /** Told after every step that leaves a trace in the file system; tests kill the process there. */
  readonly faultPoint?: FaultPoint;
}

/** How often a change starts over because a file was edited between reading and replacing it. */
const ATTEMPTS = 5;

interface Opened<L extends Look> {
  /** The file or directory, behind any symlink. */
  readonly place: string;
  readonly look: L;
  readonly sidecar: Sidecar;
}

/** Held while a change is made. */
interface Turn {
  readonly lock: FileLock;
  /** Whether the application may already be shown something else. */
  applied: boolean;
}

export class VersionedStore<L extends Look> implements SecretStore {
  constructor(
    private readonly medium: Medium<L>,
    private readonly options: VersionedStoreOptions,
  ) {}

  async preflight(slot: SecretSlot): Promise<Evidence> {
    const { look, sidecar } = await this.open([slot]);
    const evidence = await this.medium.preflight(look, slot, sidecar.entries[slotId(slot)]);
    if (sidecar.bytes) await assertReplaceable(await resolveTarget(sidecar.path));
    return evidence;
  }

  async describe(slot: SecretSlot): Promise<Versions> {
    return this.versions(await this.open([slot]), slot);
  }

  async describeAll(slots: readonly SecretSlot[]): Promise<readonly (Versions | null)[]> {
    const { descriptions } = this.options;
    const describe = () => this.describeAnew(slots);
    try {
      return descriptions ? await descriptions.get(slots, describe) : (await describe()).value;
    } catch {
      return slots.map(() => null);
    }
  }

  private async describeAnew(
    slots: readonly SecretSlot[],
  ): Promise<{ value: readonly (Versions | null)[]; paths: readonly string[] }> {
    const opened = await this.open(slots);
    const value = slots.map((slot) => {
      try {
        return this.versions(opened, slot);
      } catch {
        return null;
      }
    });
    const { place, sidecar, look } = opened;
    const named = slots.map(({ store }) => pathOf(store));
    return { value, paths: [...new Set([...named, place, sidecar.path, ...look.seen.map(({ path }) => path)])] };
  }

  async stage(
    slot: SecretSlot,
    rotation: string,
    make: () => SecretValue,
    stagedBy: StagedBy | null = null,
  ): Promise<Versions> {
    return this.exclusively(slot, async (opened, turn) => {
      const { look, sidecar } = opened;
      if (this.own(sidecar, slot, rotation)) return this.versions(opened, slot);
      assertFree(sidecar, slot);
      const shown = this.medium.read(look, slot);
      const entry = newEntry(slot, { rotation, stagedBy }, shown, make().reveal(), this.medium.remember(look, slot));
      // Every later step is tried now, on paper: none may turn out to be impossible half-way.
      for (const arrangement of arrangementsFor(entry.exposure)) this.medium.changes(look, entry, arrangement);
      return this.save(opened, { ...sidecar.entries, [slotId(slot)]: entry }, turn, slot);
    });
  }

  async arrange(slot: SecretSlot, rotation: string, arrangement: Arrangement): Promise<Versions> {
    return this.exclusively(slot, async (opened, turn) => {
      const { place, look, sidecar } = opened;
      const entry = this.own(sidecar, slot, rotation);
      if (!entry)
        throw new KeyturnError('nothing-staged', `rotation ${rotation} has staged no value for ${slotId(slot)}`);
      const shown = this.medium.read(look, entry);
      const exact = arrangementOf(shown, entry);
      if (exact === undefined && this.medium.between(shown, entry) === undefined) {
        throw new KeyturnError('changed-meanwhile', `${place}: someone changed ${namesOf(slot)} since it was staged`, {
          hint: 'nothing was overwritten: put back what stood there, or discard the staged value and start again',
        });
      }
      // Before the application can see it: from here on the value may have been used, whatever is shown later.
      const reached = furtherOf(entry.reached, arrangement);
      if (reached !== entry.reached)
        await this.save(opened, { ...sidecar.entries, [slotId(slot)]: { ...entry, reached } }, turn, slot);
      if (exact === arrangement) return this.versions(await this.open([slot]), slot);
      const { faultPoint } = this.options;
      await writeChanges(this.medium.changes(look, entry, arrangement), look, {
        lock: turn.lock,
        onWritten: () => (turn.applied = true),
        ...(faultPoint && { faultPoint }),
      });
      return this.versions(await this.open([slot]), slot);
    });
  }

  /** Also when a person has meanwhile replaced the value: the pending one is destroyed as long as nothing has ever shown it. */
  async discard(slot: SecretSlot, rotation: string): Promise<Versions> {
    return this.drop(slot, rotation, 'old only', 'pending');
  }

  async forget(slot: SecretSlot, rotation: string): Promise<Versions> {
    return this.drop(slot, rotation, 'new only', 'previous');
  }

  async giveUp(slot: SecretSlot, rotation: string): Promise<Versions> {
    return this.exclusively(slot, async (opened, turn) => {
      const entry = this.own(opened.sidecar, slot, rotation);
      return entry ? await this.remove(opened, turn, slot) : this.versions(opened, slot);
    });
  }

  async read(slot: SecretSlot, version: VersionLabel): Promise<SecretValue> {
    const { place, look, sidecar } = await this.open([slot]);
    const entry = sidecar.entries[slotId(slot)];
    const shown = this.medium.read(look, entry ?? slot);
    const current = shown.values[0] ?? '';
    const isNew = entry !== undefined && this.nearest(shown, entry).startsWith('new');
    const value = { current, pending: isNew ? undefined : entry?.new, previous: isNew ? entry.old : undefined }[
      version
    ];
    if (value !== undefined) return new SecretValue(value);
    throw new KeyturnError('not-found', `${slotId(slot)} in ${place} has no ${version} value`);
  }

  async readOthers(slot: SecretSlot): Promise<readonly SecretValue[]> {
    const { look, sidecar } = await this.open([slot]);
    const entry = sidecar.entries[slotId(slot)];
    if (entry) return othersBefore(entry).map((value) => new SecretValue(value));
    const { values, second } = this.medium.read(look, slot);
    return othersOf(values, second).map((value) => new SecretValue(value));
  }

  private async drop(
    slot: SecretSlot,
    rotation: string,
    under: 'old only' | 'new only',
    label: 'pending' | 'previous',
  ): Promise<Versions> {
    return this.exclusively(slot, async (opened, turn) => {
      const { place, look, sidecar } = opened;
      const entry = this.own(sidecar, slot, rotation);
      if (!entry) return this.versions(opened, slot);
      const shown = this.medium.read(look, entry);
      const exact = arrangementOf(shown, entry);
      const halfWay = exact === undefined && this.medium.between(shown, entry) !== undefined;
      const now = halfWay ? 'something between two arrangements' : (exact ?? nearestArrangement(shown, entry));
      if (now !== under) {
        throw new KeyturnError('wrong-arrangement', `${slotId(slot)} shows "${now}": its ${label} value is in use`, {
          hint: `arrange "${under}" first`,
        });
      }
      if (exact === undefined && (label === 'previous' || entry.reached !== 'old only')) {
        throw new KeyturnError(
          'changed-meanwhile',
          `${place}: someone changed ${namesOf(slot)} after it had come to "${entry.reached}"; the ${label} value may be in use`,
          { hint: `nothing was destroyed: put back what stood there, and run again` },
        );
      }
      return this.remove(opened, turn, slot);
    });
  }

  private async remove(opened: Opened<L>, turn: Turn, slot: SecretSlot): Promise<Versions> {
    const left = Object.entries(opened.sidecar.entries).filter(([id]) => id !== slotId(slot));
    return this.save(opened, Object.fromEntries(left), turn, slot);
  }

  /** @throws KeyturnError `other-rotation` when another run's values wait there. */
  private own(sidecar: Sidecar, slot: SecretSlot, rotation: string): Entry | undefined {
    const entry = sidecar.entries[slotId(slot)];
    if (!entry || entry.rotation === rotation) return entry;
    throw new KeyturnError('other-rotation', `${slotId(slot)} holds the values of rotation ${entry.rotation}`, {
      hint: 'finish that rotation, or undo it, before another one starts',
    });
  }

  private versions({ look, sidecar }: Opened<L>, slot: SecretSlot): Versions {
    const entry = sidecar.entries[slotId(slot)];
    const shown = this.medium.read(look, entry ?? slot);
    return versionsOf(shown, entry && { entry, between: this.medium.between(shown, entry) }, this.options.fingerprint);
  }

  private nearest(shown: Shown, entry: Entry): Arrangement {
    return this.medium.between(shown, entry) ?? nearestArrangement(shown, entry);
  }

  /** The sidecar may name places that the inventory names otherwise by now. */
  private async open(slots: readonly SecretSlot[]): Promise<Opened<L>> {
    const place = await this.medium.locate();
    const sidecar = await loadSidecar(place);
    const look = await this.medium.look(slots.flatMap((slot) => [slot, sidecar.entries[slotId(slot)] ?? slot]));
    return { place, look, sidecar };
  }

  /** Runs `change` under the place's lock, again from the start when a file was edited in between. */
  private async exclusively(
    slot: SecretSlot,
    change: (opened: Opened<L>, turn: Turn) => Promise<Versions>,
  ): Promise<Versions> {
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

  private async save(opened: Opened<L>, entries: Sidecar['entries'], turn: Turn, slot: SecretSlot): Promise<Versions> {
    const { look, sidecar } = opened;
    const { faultPoint } = this.options;
    const guard = async () => {
      await turn.lock.stillHeld();
      await assertUnchanged(look.seen);
    };
    await saveSidecar(sidecar, entries, { guard, ...(faultPoint && { faultPoint }) });
    return this.versions({ ...opened, sidecar: { ...sidecar, entries } }, slot);
  }
}
