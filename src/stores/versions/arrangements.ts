/**
 * What an application is shown under each arrangement, whatever kind of file it reads.
 *
 * | exposure   | old only             | old, accept new    | new, accept old    | new only                 |
 * |------------|----------------------|--------------------|--------------------|--------------------------|
 * | single     | `X=old`              | refused            | refused            | `X=new`                  |
 * | list       | `X=old[,rest]`       | `X=old,new[,rest]` | `X=new,old[,rest]` | `X=new`                  |
 * | `previous` | `X=old`, `P` as was  | `X=old`, `P=new`   | `X=new`, `P=old`   | `X=new`, `P` gone/empty  |
 * | `pair`     | `X`, `P` as was      | refused            | refused            | `X=user`, `P=password`   |
 *
 * A list may hold several values before a rotation: the first signs and is the current one; the rest stay accepted until
 * the new one stands alone. Under `new only` P goes if Keyturn added it; if it was there before, it stays, empty, because
 * its earlier value would be one more secret that is accepted. `old only` restores everything to the byte.
 */
import { KeyturnError } from '../../domain/errors.js';
import { ARRANGEMENTS, type Arrangement, type Exposure } from '../../domain/slot.js';
import { parsePair } from '../pair-value.js';
import { partOf, splicePart } from '../parts/part.js';
import type { Entry } from './sidecar.js';

/** The values that the slot's own variable or file holds now, the signing one first. */
export interface Shown {
  readonly values: readonly string[];
  /** What the second variable or file holds: undefined when there is none. */
  readonly second: string | undefined;
}

export type ShownPlace = Pick<Entry, 'key' | 'part' | 'exposure'>;

/** What shall stand in the second variable or file. */
export type Second =
  { readonly kind: 'absent' | 'as before' | 'empty' } | { readonly kind: 'value'; readonly value: string };

/** The variable or file besides the slot's own. */
export function secondName(exposure: Exposure): string | undefined {
  return exposure.style === 'previous' || exposure.style === 'pair' ? exposure.variable : undefined;
}

/** @throws KeyturnError `malformed` where a slot would be its own second, or a pair a part of something. */
export function assertTwoNames({ key, part, exposure }: ShownPlace): void {
  if (secondName(exposure) === key) throw new KeyturnError('malformed', `${key} cannot be its own second variable`);
  if (part && exposure.style === 'pair') {
    throw new KeyturnError(
      'malformed',
      `${key} and ${exposure.variable} are a pair: it cannot be a part of ${key} too`,
    );
  }
}

/**
 * @param whole what the slot's own variable or file holds. @param second likewise; undefined: there is none.
 * @throws KeyturnError `not-found` or `malformed` where the part or the list cannot be read.
 */
export function shownIn(place: ShownPlace, whole: string, second: string | undefined): Shown {
  const text = partOf(place.part).locate(whole).value;
  const values = place.exposure.style === 'list' ? splitList(text, place.exposure.separator, place.key) : [text];
  return { values, second: second === undefined ? undefined : pieceOf(place, second) };
}

export function arrangementsFor(exposure: Exposure): readonly Arrangement[] {
  return ['single', 'pair'].includes(exposure.style) ? ['old only', 'new only'] : ARRANGEMENTS;
}

/** @throws KeyturnError `unrepresentable` for an arrangement that shows two values where there is room for one. */
export function assertShowable({ key, exposure }: Entry, arrangement: Arrangement): void {
  if (arrangementsFor(exposure).includes(arrangement)) return;
  throw new KeyturnError('unrepresentable', `${key} takes one value: it cannot show "${arrangement}"`, {
    hint: 'only a secret with an overlap can be shown twice, and only if its application takes two values',
  });
}

/** The arrangement that is shown exactly; undefined when someone has changed the value since it was staged. */
export function arrangementOf(shown: Shown, entry: Entry): Arrangement | undefined {
  return arrangementsFor(entry.exposure).find((arrangement) => {
    const wanted = wantedFor(entry, arrangement);
    const same =
      wanted.values.length === shown.values.length && wanted.values.every((value, at) => value === shown.values[at]);
    return same && secondText(wanted.second, entry) === shown.second;
  });
}

/** After a person's edit: what the application is shown, as near as one of the four words can say it. */
export function nearestArrangement(shown: Shown, entry: Entry): Arrangement {
  if (entry.exposure.style === 'pair') return showsNewOfPair(shown.values[0] ?? '', entry) ? 'new only' : 'old only';
  const visible = [...shown.values, shown.second];
  if (shown.values[0] === entry.new) return visible.includes(entry.old) ? 'new, accept old' : 'new only';
  return visible.includes(entry.new) ? 'old, accept new' : 'old only';
}

/** Of every exposure but a pair, which has its own way. */
export function wantedFor(entry: Entry, arrangement: Arrangement): { values: readonly string[]; second: Second } {
  const { old, new: fresh, rest, exposure } = entry;
  const newSigns = arrangement.startsWith('new');
  if (exposure.style === 'list') {
    const lists = {
      'old only': [old, ...rest],
      'old, accept new': [old, fresh, ...rest],
      'new, accept old': [fresh, old, ...rest],
      'new only': [fresh],
    } satisfies Record<Arrangement, readonly string[]>;
    return { values: lists[arrangement], second: { kind: 'absent' } };
  }
  const values = [newSigns ? fresh : old];
  // A pair is one value: in which two places it stands is the business of whoever reads and writes it.
  if (exposure.style !== 'previous') return { values, second: { kind: 'absent' } };
  if (arrangement.includes('accept')) return { values, second: { kind: 'value', value: newSigns ? old : fresh } };
  if (!entry.second) return { values, second: { kind: 'absent' } };
  return { values, second: { kind: arrangement === 'old only' ? 'as before' : 'empty' } };
}

/** Values that are shown besides the signing one. */
export function othersOf([current, ...rest]: readonly string[], second: string | undefined): readonly string[] {
  const others = [...rest, second ?? ''].filter((value) => value !== '' && value !== current);
  return [...new Set(others)];
}

/** The same as it was before anything was staged. */
export function othersBefore(entry: Entry): readonly string[] {
  const { exposure, old, rest, second } = entry;
  const was = exposure.style === 'previous' && second ? pieceOf(entry, second.value) : undefined;
  return othersOf([old, ...rest], was);
}

/** The whole text with these values in it. @param now what stands there; around a part it stays. */
export function wholeWith(entry: Entry, now: string, values: readonly string[]): string {
  const part = partOf(entry.part);
  const text =
    entry.exposure.style === 'list' ? joinList(values, entry.exposure.separator, entry.key) : (values[0] ?? '');
  const before = part.locate(entry.original.value).value;
  const piece = text === before ? entry.original.piece : part.encode(text);
  return splicePart(part, now, piece);
}

/**
 * The whole text of the second one; null: there is to be none.
 * @param main the whole text of the first: for a part, the second holds the same with the other secret inside.
 */
export function secondWith(entry: Entry, main: string, wanted: Second): string | null {
  switch (wanted.kind) {
    case 'absent':
      return null;
    case 'empty':
      return '';
    case 'as before':
      return entry.second?.value ?? '';
    case 'value': {
      const part = partOf(entry.part);
      return splicePart(part, main, part.encode(wanted.value));
    }
  }
}

function secondText(second: Second, entry: Entry): string | undefined {
  if (second.kind === 'value') return second.value;
  if (second.kind === 'as before' && entry.second) return pieceOf(entry, entry.second.value);
  return second.kind === 'empty' ? '' : undefined;
}

function pieceOf(place: Pick<ShownPlace, 'part'>, whole: string): string {
  if (!place.part || whole === '') return whole;
  try {
    return partOf(place.part).locate(whole).value;
  } catch {
    // Something that Keyturn has not written: compared as it is.
    return whole;
  }
}

/** After a person's edit of one of the two, the other may still be the new one. Under `same-role` both pairs have one user. */
function showsNewOfPair(shown: string, entry: Entry): boolean {
  const [now, old, fresh] = [shown, entry.old, entry.new].map(parsePair);
  return [0, 1].some((at) => now?.[at] === fresh?.[at] && fresh?.[at] !== old?.[at]);
}

function splitList(text: string, separator: string, key: string): readonly string[] {
  if (isJson(text)) {
    throw new KeyturnError(
      'malformed',
      `${key} is a JSON text, and no list of values with ${JSON.stringify(separator)} between`,
      {
        hint: 'write the values themselves, first,second; a field of a JSON text is rotated with part: { json: /0 } and without an overlap',
      },
    );
  }
  const values = text.split(separator);
  if (values.every((value) => value !== '' && value === value.trim())) return values;
  throw new KeyturnError('malformed', `${key} is a list with an empty value or with spaces around one`, {
    hint: `write the values with only the separator between them: first${separator}second`,
  });
}

function isJson(text: string): boolean {
  if (!/^\s*[[{"]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function joinList(values: readonly string[], separator: string, key: string): string {
  const text = values.join(separator);
  const back = text.split(separator);
  if (back.length === values.length && back.every((value, index) => value === values[index] && value === value.trim()))
    return text;
  throw new KeyturnError(
    'unrepresentable',
    `a value of ${key} contains the list separator or begins or ends with a space`,
    {
      hint: 'use a generator without the separator: hex:N has digits and a–f only',
    },
  );
}
