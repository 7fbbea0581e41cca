/** What became of a page's rows, counted so that it balances. */
import type { ValueState } from '../ciphers/cipher.js';
import type { RowCounts } from '../domain/row-counts.js';

/** @param written how many of the rows in state `old` were written. */
export function countsOf(states: readonly ValueState[], written: number): RowCounts {
  const of = { old: 0, new: 0, empty: 0, unreadable: 0 };
  for (const state of states) of[state] += 1;
  return {
    read: states.length,
    reencrypted: written,
    alreadyNew: of.new,
    empty: of.empty,
    changed: of.old - written,
    unreadable: of.unreadable,
  };
}

/** Where in the page they are, the first so many. */
export function unreadablePlaces(states: readonly ValueState[], most: number): number[] {
  const places: number[] = [];
  for (let place = states.indexOf('unreadable'); place >= 0; place = states.indexOf('unreadable', place + 1)) {
    if (places.length === most) break;
    places.push(place);
  }
  return places;
}
