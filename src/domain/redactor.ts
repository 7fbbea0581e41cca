/**
 * Finds values in texts, in any of their forms and in any of a text's readings, whole or in runs of twelve characters or more, and
 * puts a mask there. The time is that of a few passes over the text, however many values there are: some grams of every form are
 * indexed, and where one is met the run around it is looked at.
 */
import { asWritten, decoded, within, type Reading } from './readings.js';

/** A run of so much of a value is taken out; less of a value that is longer says little. */
export const LEAST_RUN = 12;
/** A gram at every `STEP`th place: each run of LEAST_RUN (6 + 7 - 1) characters holds a whole one. */
const GRAM = 6;
const STEP = LEAST_RUN - GRAM + 1;
/** Values that begin alike, and a value that repeats itself: looking at more of them finds nothing new. */
const MOST_ALIKE = 32;
/** What is escaped within what is escaped. */
const LEVELS = 3;
/** Below that a value may be an ordinary word or number: it is taken out where it stands alone. */
const SHORTEST = 6;
const SHORTEST_OF_ALL = 4;
const FILTER_BITS = 18;

interface Form {
  readonly text: string;
  readonly mask: string;
  /** A run of it counts too. */
  readonly inParts: boolean;
}

interface Place {
  readonly form: Form;
  readonly at: number;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly mask: string;
}

export class Redactor {
  private readonly index = new Map<number, Place[]>();
  private readonly shorts = new Map<string, string>();
  /** Most grams of a text are in no value: asked first. A bit that was set stays. */
  private readonly filter = new Uint8Array(1 << FILTER_BITS);

  add(value: string, mask: string): void {
    if (isShort(value)) this.shorts.set(value, mask);
    for (const form of formsFor(value, mask)) {
      for (const at of gramsOf(form.text)) {
        const key = gramAt(form.text, at);
        const places = this.index.get(key);
        if (!places) this.index.set(key, [{ form, at }]);
        else if (places.length < MOST_ALIKE) places.push({ form, at });
        this.filter[key & (this.filter.length - 1)] = 1;
      }
    }
  }

  delete(value: string): void {
    this.shorts.delete(value);
    for (const { text } of formsFor(value, '')) {
      for (const at of gramsOf(text)) {
        const key = gramAt(text, at);
        const left = this.index.get(key)?.filter(({ form }) => form.text !== text) ?? [];
        if (left.length > 0) this.index.set(key, left);
        else this.index.delete(key);
      }
    }
  }

  apply(text: string): string {
    const ranges = [...this.shortOnes(text), ...this.rangesIn(asWritten(text))];
    if (this.index.size > 0) {
      let reading = decoded(text);
      for (let level = 1; reading.text.length > 0; level += 1) {
        ranges.push(...this.rangesIn(reading));
        if (level === LEVELS) break;
        const next = decoded(reading.text);
        if (next.text === reading.text) break;
        reading = within(reading, next);
      }
    }
    return ranges.length === 0 ? text : masked(text, ranges);
  }

  private rangesIn({ text, from, to }: Reading): Range[] {
    const found: Range[] = [];
    if (this.index.size === 0) return found;
    let done = 0;
    for (let at = 0; at + GRAM <= text.length; at += 1) {
      const key = gramAt(text, at);
      if (this.filter[key & (this.filter.length - 1)] !== 1) continue;
      const best = longest(text, at, done, this.index.get(key) ?? []);
      if (!best) continue;
      found.push({ from: from[best.from] ?? 0, to: to[best.to - 1] ?? 0, mask: best.mask });
      done = best.to;
      // What comes next may begin within what was found, as where one value overlaps another.
      at = Math.max(at, best.to - GRAM);
    }
    return found;
  }

  private shortOnes(text: string): Range[] {
    return [...this.shorts].flatMap(([value, mask]) => {
      const found: Range[] = [];
      for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
        const to = at + value.length;
        if (!isPartOfWord(text, at - 1) && !isPartOfWord(text, to)) found.push({ from: at, to, mask });
      }
      return found;
    });
  }
}

/** The longest of the runs around this gram that count; of two as long a whole form. */
function longest(text: string, at: number, done: number, places: readonly Place[]): Range | null {
  let best: (Range & { readonly whole: boolean }) | null = null;
  for (const { form, at: inForm } of places) {
    let before = 0;
    while (before < inForm && at - before > 0 && form.text[inForm - before - 1] === text[at - before - 1]) before += 1;
    let after = 0;
    while (inForm + after < form.text.length && form.text[inForm + after] === text[at + after]) after += 1;
    if (after < GRAM) continue;
    const whole = before === inForm && inForm + after === form.text.length;
    if (!whole && (!form.inParts || before + after < LEAST_RUN)) continue;
    const [from, to] = [at - before, at + after];
    const size = best === null ? 0 : best.to - best.from;
    if (to > done && (to - from > size || (to - from === size && whole))) best = { from, to, mask: form.mask, whole };
  }
  return best;
}

function masked(text: string, ranges: readonly Range[]): string {
  const sorted = [...ranges].sort((one, other) => one.from - other.from || other.to - one.to);
  const parts: string[] = [];
  let at = 0;
  let current: Range | null = null;
  for (const range of sorted) {
    if (current && range.from < current.to) {
      // Of what overlaps the longer one gives its name, and all of it goes.
      const named: Range = range.to - range.from > current.to - current.from ? range : current;
      current = { from: current.from, to: Math.max(current.to, range.to), mask: named.mask };
      continue;
    }
    if (current) parts.push(text.slice(at, current.from), current.mask);
    if (current) at = current.to;
    current = range;
  }
  if (current) parts.push(text.slice(at, current.from), current.mask, text.slice(current.to));
  return parts.join('');
}

/** A short value that is no word. */
function isShort(value: string): boolean {
  return value.length >= SHORTEST_OF_ALL && value.length < SHORTEST && !/^(?:[a-z]+|[A-Z][a-z]*|[A-Z]+)$/.test(value);
}

function isPartOfWord(text: string, at: number): boolean {
  return /[A-Za-z0-9_]/.test(text[at] ?? '');
}

/** `scheme://user:password@host/…`: its parts are host and database too, which are shown; its password is a value of its own. */
const ADDRESS = /^[a-z][a-z0-9+.-]{0,40}:\/\//i;

/** `["user","password"]`: the name of a role may be shown, and the password is a value of its own. */
const PAIR = /^\["(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*"\]$/s;

function formsFor(value: string, mask: string): Form[] {
  const inParts = !ADDRESS.test(value) && !PAIR.test(value);
  const texts = formsOf(value).flatMap((form) => [asWritten(form).text, decoded(form).text]);
  return [...new Set(texts)].flatMap((text) => (text.length < SHORTEST ? [] : [{ text, mask, inParts }]));
}

/** The last one too: values that begin alike are told apart by their ends. */
function* gramsOf(text: string): Generator<number> {
  const last = text.length - GRAM;
  for (let at = 0; at < last; at += STEP) yield at;
  yield last;
}

/** FNV-1a. */
function gramAt(text: string, at: number): number {
  let hash = 0x811c9dc5;
  for (let index = at; index < at + GRAM; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** All the ways in which a value may be written, itself among them; none is shorter than what is worth masking. */
export function formsOf(value: string): string[] {
  // What is encoded has no half characters: encoders put U+FFFD there, or throw.
  const whole = value.replace(/\p{Surrogate}/gu, '\ufffd');
  const bytes = new TextEncoder().encode(whole);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const all = [value, whole, new URLSearchParams({ v: whole }).toString().slice(2), hex, hex.toUpperCase()];
  for (const encoded of base64Forms(bytes)) {
    all.push(encoded, encoded.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...new Set(all)].filter((form) => form.length >= SHORTEST);
}

/** Whole, and as it stands after 0, 1 or 2 other bytes without the characters that mix with them or with what follows. */
function base64Forms(bytes: Uint8Array): string[] {
  const encode = (before: number): string => {
    let binary = '\0'.repeat(before);
    for (const byte of bytes) binary += String.fromCharCode(byte);
    return btoa(binary).replace(/={1,2}$/, '');
  };
  const within = [0, 1, 2].map((before) => {
    const encoded = encode(before);
    const mixesWithNext = (before + bytes.length) % 3 !== 0;
    return encoded.slice(before === 0 ? 0 : before + 1, mixesWithNext ? -1 : undefined);
  });
  return [encode(0), ...within];
}
