/** Text that people send, as it may stand in a record: on one line, of a size that is known, with nothing that moves what stands beside it. */

/** Line ends of any kind, and what makes a terminal act (ESC, CR, backspace). */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}]+/gu;
/** They turn the direction of the rest of the line, or hide in it. */
const UNSEEN = /[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A refusal, a note or a name that is repeated in a record: more is cut. */
export const MOST_CHARACTERS = 300;

/** Cut first, so that what is sent costs nothing however long it is. A line break is shown as one. */
export function oneLine(text: string, most: number = MOST_CHARACTERS): string {
  const line = cut(text, 2 * most)
    .trim()
    .replace(BREAKS, ' ⏎ ')
    .replace(UNSEEN, '');
  return cut(line, most);
}

/** The same inside a record whose parts stand in parentheses and between semicolons: those are the record's own. */
export function remark(text: string, most?: number): string {
  return oneLine(text, most).replaceAll(';', ',').replaceAll('(', '[').replaceAll(')', ']');
}

/** Never half a character. */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most).replace(/[\ud800-\udbff]$/, '')}…` : text;
}

/** Lines that people cause, as many as they like: the first and the last few are kept, those between are counted. */
export class FewLines {
  private readonly earliest: string[] = [];
  private readonly latest: string[] = [];
  private left = 0;

  constructor(private readonly most: { readonly first: number; readonly last: number; readonly characters: number }) {}

  add(text: string): void {
    const line = oneLine(text, this.most.characters);
    if (this.earliest.length < this.most.first) {
      this.earliest.push(line);
      return;
    }
    this.latest.push(line);
    if (this.latest.length <= this.most.last) return;
    this.latest.shift();
    this.left += 1;
  }

  get lines(): readonly string[] {
    const between = this.left === 0 ? [] : [`… and ${this.left} more`];
    return [...this.earliest, ...between, ...this.latest];
  }
}
