/**
 * The three versions of a secret in files that an application reads. `current` is what stands there; `pending` and `previous`
 * wait beside it (sidecar.ts).
 *
 * `stage`, `discard` and `forget` write the sidecar only, `arrange` what the application reads only, and each file is written
 * whole. Which arrangement is in force is read off those files. So there is no moment in which a crash could leave the two at
 * odds, and repeating a call is all it takes to finish it. Who may write when is changeable-place.ts's.
 *
 * Codes besides the contract's: `busy` (another Keyturn process holds the place; retryable), `same-value`, `wrong-arrangement`.
 */
import { KeyturnError } from '../../domain/errors.js';
import type { Evidence } from '../../domain/evidence.js';
import { SecretValue } from '../../domain/secret-value.js';
import { pathOf } from '../../domain/place.js';
import { isExposed } from '../../domain/reason.js';
import { furtherOf, type Arrangement, type SecretSlot, type StagedBy } from '../../domain/slot.js';
import type { VersionLabel, Versions } from '../../domain/slot.js';
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
import { namesOf } from './change-errors.js';
import { ChangeablePlace, type ChangeOptions, type Opened, type Turn } from './changeable-place.js';
import type { Look, Medium } from './medium.js';
import { slotId, type Entry, type Sidecar } from './sidecar.js';
import { assertFree, newEntry } from './staging.js';
import { versionsOf } from './versions-of.js';
import { writeChanges } from './write-changes.js';

export interface VersionedStoreOptions extends ChangeOptions {
  readonly fingerprint: Fingerprinter;
  /** Where descriptions of whole stores are kept; default: each is made anew. */
  readonly descriptions?: Descriptions;
}

export class VersionedStore<L extends Look> implements SecretStore {
  private readonly place: ChangeablePlace<L>;

  constructor(
    private readonly medium: Medium<L>,
    private readonly options: VersionedStoreOptions,
  ) {
    this.place = new ChangeablePlace(medium, options);
  }

  async preflight(slot: SecretSlot): Promise<Evidence> {
    const { look, sidecar } = await this.place.open([slot]);
    const evidence = await this.medium.preflight(look, slot, sidecar.entries[slotId(slot)]);
    if (sidecar.bytes) await assertReplaceable(await resolveTarget(sidecar.path));
    return evidence;
  }

  async describe(slot: SecretSlot): Promise<Versions> {
    return this.versions(await this.place.open([slot]), slot);
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
    const opened = await this.place.open(slots);
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
    return this.place.exclusively(slot, async (opened, turn) => {
      const { look, sidecar } = opened;
      const own = this.own(sidecar, slot, rotation);
      if (own) {
        if (!stagedBy || !own.stagedBy || !isExposed(stagedBy.reason) || isExposed(own.stagedBy.reason))
          return this.versions(opened, slot);
        // Gone on with after a leak: whoever finishes it must know.
        const known: Entry = { ...own, stagedBy: { ...own.stagedBy, reason: stagedBy.reason } };
        return this.save(opened, { ...sidecar.entries, [slotId(slot)]: known }, turn, slot);
      }
      assertFree(sidecar, slot);
      const shown = this.medium.read(look, slot);
      const entry = newEntry(slot, { rotation, stagedBy }, shown, make().reveal(), this.medium.remember(look, slot));
      // Every later step is tried now, on paper: none may turn out to be impossible half-way.
      for (const arrangement of arrangementsFor(entry.exposure)) this.medium.changes(look, entry, arrangement);
      return this.save(opened, { ...sidecar.entries, [slotId(slot)]: entry }, turn, slot);
    });
  }

  async arrange(slot: SecretSlot, rotation: string, arrangement: Arrangement): Promise<Versions> {
    return this.place.exclusively(slot, async (opened, turn) => {
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
      if (exact === arrangement) return this.versions(await this.place.open([slot]), slot);
      const { faultPoint } = this.options;
      await writeChanges(this.medium.changes(look, entry, arrangement), look, {
        lock: turn.lock,
        onWritten: () => (turn.applied = true),
        ...(faultPoint && { faultPoint }),
      });
      return this.versions(await this.place.open([slot]), slot);
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
    return this.place.exclusively(slot, async (opened, turn) => {
      const entry = this.own(opened.sidecar, slot, rotation);
      return entry ? await this.remove(opened, turn, slot) : this.versions(opened, slot);
    });
  }

  async read(slot: SecretSlot, version: VersionLabel): Promise<SecretValue> {
    const { place, look, sidecar } = await this.place.open([slot]);
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
    const { look, sidecar } = await this.place.open([slot]);
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
    return this.place.exclusively(slot, async (opened, turn) => {
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

  private async save(opened: Opened<L>, entries: Sidecar['entries'], turn: Turn, slot: SecretSlot): Promise<Versions> {
    return this.versions(await this.place.save(opened, entries, turn), slot);
  }
}
