/**
 * What every store must hold to. A store's test file calls this once for each way in which its applications take two values,
 * with a fixture over a real store (a file, a server): `secretStoreContract({ name, exposure, open })`.
 */
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyturnError } from '../../src/domain/errors.js';
import type { Reason } from '../../src/domain/reason.js';
import { SecretValue } from '../../src/domain/secret-value.js';
import {
  ARRANGEMENTS,
  type Arrangement,
  type SecretSlot,
  type StagedBy,
  type Versions,
} from '../../src/domain/slot.js';
import type { SecretStore } from '../../src/stores/secret-store.js';

export interface StoreFixture {
  readonly slot: SecretSlot;
  /** The value that the slot holds at first. */
  readonly initial: string;
  /** Another handle on the same world, as after a restart of the worker. */
  reopen(): SecretStore;
  /** The values that the application is shown, the signing one first. */
  visible(): Promise<readonly string[]>;
  /** Everything that the application can see, to the byte where there are bytes. */
  snapshot(): Promise<string>;
  /** As a person would: puts `value` in the place of the current one, without telling Keyturn. */
  edit(value: string): Promise<void>;
  /** A value that this store cannot carry, if there is one. */
  readonly unrepresentable?: string;
  close(): Promise<void>;
}

export interface StoreContract {
  readonly name: string;
  readonly exposure: SecretSlot['exposure'];
  open(exposure: SecretSlot['exposure']): Promise<StoreFixture>;
}

const NEW_TEXT = 'contract-new-value-7f3c9a1e5b2d';
const OTHER_TEXT = 'contract-other-value-0d4e8c6a2f1b';

/** A value of this exposure: of a pair, the user's name comes with it. */
export function valueFor({ style }: SecretSlot['exposure'], text: string): string {
  return style === 'pair' ? JSON.stringify([`user-of-${text.slice(0, 12)}`, text]) : text;
}

/** What may never be shown: of a pair also the password alone. The user's name may. */
function secretsIn({ style }: SecretSlot['exposure'], value: string): readonly string[] {
  return style === 'pair' ? [value, (JSON.parse(value) as [string, string])[1]] : [value];
}

export function secretStoreContract({ name, exposure, open }: StoreContract): void {
  describe(`${name}, ${exposure.style}: the contract of a store`, () => {
    const NEW = valueFor(exposure, NEW_TEXT);
    const OTHER = valueFor(exposure, OTHER_TEXT);
    let fixture: StoreFixture;
    let slot: SecretSlot;
    let store: SecretStore;
    /** All that the store has answered or thrown; none of it may hold a value. */
    let answers: unknown[];

    beforeEach(async () => {
      fixture = await open(exposure);
      slot = fixture.slot;
      answers = [];
      store = listening(fixture.reopen());
    });
    afterEach(async () => {
      const values = [
        fixture.initial,
        NEW,
        OTHER,
        ...(fixture.unrepresentable ? [fixture.unrepresentable] : []),
      ].flatMap((value) => secretsIn(exposure, value));
      await fixture.close();
      for (const answer of answers) {
        const shown = `${inspect(answer, { depth: 20, showHidden: true })} ${JSON.stringify(answer)} ${String(answer)}`;
        const all =
          answer instanceof Error ? `${shown} ${answer.stack ?? ''} ${inspect(answer.cause, { depth: 20 })}` : shown;
        for (const value of values) expect(all.includes(value), `a value shows in: ${all.slice(0, 60)}…`).toBe(false);
      }
    });

    function listening(inner: SecretStore): SecretStore {
      return new Proxy(inner, {
        get:
          (target, property) =>
          async (...args: unknown[]) => {
            const method = Reflect.get(target, property) as (...a: unknown[]) => Promise<unknown>;
            try {
              const answer = await method.apply(target, args);
              answers.push(answer);
              return answer;
            } catch (error) {
              answers.push(error);
              throw error;
            }
          },
      });
    }

    const takesOne = exposure.style === 'single' || exposure.style === 'pair';
    const arrangements = ARRANGEMENTS.filter((each) => !takesOne || !each.includes('accept'));
    const stage = (rotation = 'r1', value = NEW) => store.stage(slot, rotation, () => new SecretValue(value));
    const shownUnder = (arrangement: Arrangement): readonly string[] =>
      ({
        'old only': [fixture.initial],
        'old, accept new': [fixture.initial, NEW],
        'new, accept old': [NEW, fixture.initial],
        'new only': [NEW],
      })[arrangement];

    it('finds nothing under way at first', async () => {
      expect(await store.describe(slot)).toMatchObject({
        ...{ pending: null, previous: null, rotation: null, record: null, arrangement: 'old only' },
        current: { length: fixture.initial.length },
      });
      expect((await store.read(slot, 'current')).reveal()).toBe(fixture.initial);
      expect(await store.readOthers(slot)).toEqual([]);
      await refuses('not-found', () => store.read(slot, 'pending'));
      await refuses('not-found', () => store.read(slot, 'previous'));
    });

    it('preflight, describe and read change nothing', async () => {
      const before = await fixture.snapshot();
      expect((await store.preflight(slot)).summary).not.toBe('');
      await store.describe(slot);
      await store.read(slot, 'current');
      await store.readOthers(slot);
      expect(await fixture.snapshot()).toBe(before);
    });

    it('stages a value that the application does not see, durably and once', async () => {
      const before = await fixture.snapshot();
      const staged = await stage();
      expect(staged).toMatchObject({
        rotation: 'r1',
        arrangement: 'old only',
        pending: { length: NEW.length },
        previous: null,
      });
      expect(await fixture.snapshot()).toBe(before);
      let made = 0;
      const again = await fixture.reopen().stage(slot, 'r1', () => {
        made += 1;
        return new SecretValue(OTHER);
      });
      expect(made).toBe(0);
      expect(again).toEqual(staged);
      expect((await fixture.reopen().read(slot, 'pending')).reveal()).toBe(NEW);
      expect((await store.read(slot, 'current')).reveal()).toBe(fixture.initial);
    });

    it('makes one value of two simultaneous stages of one rotation', async () => {
      let made = 0;
      const make = () => new SecretValue(valueFor(exposure, `${NEW_TEXT}-${String((made += 1))}`));
      const results = await Promise.all(Array.from({ length: 8 }, () => fixture.reopen().stage(slot, 'r1', make)));
      expect(new Set(results.map((versions) => versions.pending?.fingerprint)).size).toBe(1);
      expect((await store.read(slot, 'pending')).reveal()).toContain(`${NEW_TEXT}-`);
    });

    it('lets one of two rotations in, and refuses the other', async () => {
      const results = await Promise.allSettled(['r1', 'r2'].map((rotation) => stage(rotation)));
      expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
      const refusal = results.find((result) => result.status === 'rejected')?.reason as unknown;
      expect(refusal).toMatchObject({ code: 'other-rotation', effect: 'none' });
    });

    it('refuses every writing call of a rotation that does not own the values', async () => {
      await stage();
      const before = [await fixture.snapshot(), await store.describe(slot)];
      await refuses('other-rotation', () => stage('r2', OTHER));
      await refuses('other-rotation', () => store.arrange(slot, 'r2', 'new only'));
      await refuses('other-rotation', () => store.discard(slot, 'r2'));
      await refuses('other-rotation', () => store.forget(slot, 'r2'));
      await refuses('other-rotation', () => store.giveUp(slot, 'r2'));
      expect([await fixture.snapshot(), await store.describe(slot)]).toEqual(before);
    });

    it('arranges nothing that was not staged', async () => {
      await refuses('nothing-staged', () => store.arrange(slot, 'r1', 'new only'));
    });

    it('discard and forget do nothing when there is nothing', async () => {
      const before = await store.describe(slot);
      expect(await store.discard(slot, 'r1')).toEqual(before);
      expect(await store.forget(slot, 'r1')).toEqual(before);
    });

    for (const from of arrangements) {
      for (const to of arrangements) {
        it(`goes from "${from}" to "${to}", also when the answer is lost and the call repeated`, async () => {
          await stage();
          await store.arrange(slot, 'r1', from);
          const first = await store.arrange(slot, 'r1', to);
          const after = await fixture.snapshot();
          expect(await fixture.reopen().arrange(slot, 'r1', to)).toEqual(first);
          expect(await fixture.snapshot()).toBe(after);
          expect(await fixture.visible()).toEqual(shownUnder(to));
          expect(await fixture.reopen().describe(slot)).toEqual(first);
          await expectVersions(first, to);
        });
      }
    }

    it('gives back exactly what was there after any detour, when undone', async () => {
      const before = await fixture.snapshot();
      await stage();
      for (const arrangement of [...arrangements, ...[...arrangements].reverse()])
        await store.arrange(slot, 'r1', arrangement);
      await store.discard(slot, 'r1');
      expect(await fixture.snapshot()).toBe(before);
      expect(await store.describe(slot)).toMatchObject({ pending: null, previous: null, rotation: null });
    });

    it('discards only what nobody is shown, once', async () => {
      await stage();
      for (const arrangement of arrangements.filter((each) => each !== 'old only')) {
        await store.arrange(slot, 'r1', arrangement);
        await refuses('wrong-arrangement', () => store.discard(slot, 'r1'));
      }
      await store.arrange(slot, 'r1', 'old only');
      const first = await store.discard(slot, 'r1');
      expect(await store.discard(slot, 'r1')).toEqual(first);
      await refuses('not-found', () => store.read(slot, 'pending'));
      // The way is free for another rotation.
      expect((await stage('r2', OTHER)).rotation).toBe('r2');
    });

    it('forgets only what nobody is shown, once', async () => {
      await stage();
      for (const arrangement of arrangements.filter((each) => each !== 'new only')) {
        await store.arrange(slot, 'r1', arrangement);
        await refuses('wrong-arrangement', () => store.forget(slot, 'r1'));
      }
      await store.arrange(slot, 'r1', 'new only');
      expect((await store.read(slot, 'previous')).reveal()).toBe(fixture.initial);
      const first = await store.forget(slot, 'r1');
      expect(await store.forget(slot, 'r1')).toEqual(first);
      await refuses('not-found', () => store.read(slot, 'previous'));
      expect((await store.read(slot, 'current')).reveal()).toBe(NEW);
      expect(await fixture.visible()).toEqual([NEW]);
      expect((await stage('r2', OTHER)).rotation).toBe('r2');
    });

    it('does not overwrite what a person has put there since the value was staged', async () => {
      await stage();
      await fixture.edit(OTHER);
      const edited = await fixture.snapshot();
      for (const arrangement of arrangements) {
        await refuses('changed-meanwhile', () => store.arrange(slot, 'r1', arrangement));
      }
      expect(await fixture.snapshot()).toBe(edited);
      // Undoing the rotation leaves the person's value in place.
      await store.discard(slot, 'r1');
      expect(await fixture.snapshot()).toBe(edited);
      expect(await store.describe(slot)).toMatchObject({
        current: { length: OTHER.length },
        pending: null,
        rotation: null,
      });
    });

    it('does not overwrite what a person has put there since the value was arranged', async () => {
      await stage();
      await store.arrange(slot, 'r1', 'new only');
      await fixture.edit(OTHER);
      const edited = await fixture.snapshot();
      await refuses('changed-meanwhile', () => store.arrange(slot, 'r1', 'old only'));
      expect(await fixture.snapshot()).toBe(edited);
    });

    it('knows whose a value is and how far it ever came, whatever is shown, and gives up neither value after an edit', async () => {
      const by = { namespace: 'default', namespaceId: 'an-id', workflowId: 'rotate:a/b/C' };
      const stagedBy: StagedBy = { ...by, reason: 'routine' };
      await store.stage(slot, 'r1', () => new SecretValue(NEW), stagedBy);
      const recordOf = async () => (await fixture.reopen().describe(slot)).record;
      expect(await recordOf()).toEqual({ reached: 'old only', edited: false, stagedBy });
      const forward = arrangements.filter((each) => each !== 'old only');
      for (const arrangement of forward) {
        await store.arrange(slot, 'r1', arrangement);
        expect(await recordOf()).toEqual({ reached: arrangement, edited: false, stagedBy });
      }
      await store.arrange(slot, 'r1', 'old only');
      expect(await recordOf()).toEqual({ reached: 'new only', edited: false, stagedBy });
      await fixture.edit(OTHER);
      expect(await recordOf()).toEqual({ reached: 'new only', edited: true, stagedBy });
      await refuses('changed-meanwhile', () => store.discard(slot, 'r1'));
      expect((await store.read(slot, 'pending')).reveal()).toBe(NEW);
    });

    it('knows that a leak was at the root of it, also when that was known later, and does not forget it', async () => {
      const by = { namespace: 'default', namespaceId: 'an-id', workflowId: 'rotate:a/b/C' };
      const staged = async (reason: Reason) => {
        const { record, pending } = await store.stage(slot, 'r1', () => new SecretValue(NEW), { ...by, reason });
        return { reason: record?.stagedBy?.reason, pending };
      };
      const { pending, ...first } = await staged('routine');
      expect(first).toEqual({ reason: 'routine' });
      expect(await staged('leak')).toEqual({ reason: 'leak', pending });
      expect(await staged('routine')).toEqual({ reason: 'leak', pending });
    });

    it('an edit of a value that was shown does not make it one that nothing used', async () => {
      await stage();
      await store.arrange(slot, 'r1', 'new only');
      await fixture.edit(OTHER);
      await refuses('changed-meanwhile', () => store.discard(slot, 'r1'));
      expect((await store.describe(slot)).rotation).toBe('r1');
      // But on a person's word; and the place stays as it is.
      const edited = await fixture.snapshot();
      await store.giveUp(slot, 'r1');
      expect(await fixture.snapshot()).toBe(edited);
      const described = await store.giveUp(slot, 'r1');
      expect(described).toMatchObject({ rotation: null, pending: null, previous: null, arrangement: 'old only' });
    });

    it('refuses the current value as the new one', async () => {
      await refuses('same-value', () => stage('r1', fixture.initial));
      expect(await store.describe(slot)).toMatchObject({ rotation: null });
    });

    it('refuses a value that it cannot carry, before anything is written', async () => {
      const value = fixture.unrepresentable;
      if (value === undefined) return;
      const before = await fixture.snapshot();
      await refuses('unrepresentable', () => stage('r1', value));
      expect(await fixture.snapshot()).toBe(before);
      expect(await store.describe(slot)).toMatchObject({ pending: null, rotation: null });
    });

    it('says `not-found` for a key that does not exist, and creates nothing', async () => {
      const missing = { ...slot, key: 'NO_SUCH_KEY_ANYWHERE' };
      const before = await fixture.snapshot();
      await refuses('not-found', () => store.preflight(missing));
      await refuses('not-found', () => store.stage(missing, 'r1', () => new SecretValue(NEW)));
      expect(await fixture.snapshot()).toBe(before);
    });

    if (takesOne) {
      it('refuses to show two values to an application that takes one', async () => {
        await stage();
        await refuses('unrepresentable', () => store.arrange(slot, 'r1', 'old, accept new'));
        await refuses('unrepresentable', () => store.arrange(slot, 'r1', 'new, accept old'));
      });
    }

    async function expectVersions(versions: Versions, arrangement: Arrangement): Promise<void> {
      const isNew = arrangement.startsWith('new');
      expect(versions).toMatchObject({ arrangement, rotation: 'r1' });
      expect((await store.read(slot, 'current')).reveal()).toBe(isNew ? NEW : fixture.initial);
      expect((await store.read(slot, isNew ? 'previous' : 'pending')).reveal()).toBe(isNew ? fixture.initial : NEW);
      expect(versions[isNew ? 'pending' : 'previous']).toBeNull();
    }
  });
}

/** The call fails with this code, and says that it has changed nothing. */
async function refuses(code: string, call: () => Promise<unknown>): Promise<void> {
  const error: unknown = await call().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyturnError);
  expect(error).toMatchObject({ code, effect: 'none' });
}
