/**
 * A secret in memory. It cannot be printed, logged, serialised or interpolated by accident: only `reveal()` gives the
 * text, and only adapters call that. Every value met by this process is remembered (bounded) so that `redact` can take
 * it out of messages that come from elsewhere: a driver's error, a container's log lines.
 */
import { Redactor } from './redactor.js';

const REMEMBERED = 4_096;
const MASK = '[secret]';
/** Values that this process has met, the latest last. */
const met = new Set<string>();
/** Values that stay known whatever else is met: those of the files that a plan says to hide. */
let pinned: ReadonlySet<string> = new Set();
const redactor = new Redactor();

export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    remember(text);
  }

  reveal(): string {
    return this.#text;
  }

  equals(other: SecretValue): boolean {
    return this.#text === other.#text;
  }

  get length(): number {
    return this.#text.length;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return MASK;
  }
}

/**
 * Takes every value this process has met out of `text`, also where it is escaped, encoded (in base64 at any place in what was encoded:
 * only the outermost character on either side, which mixes with its neighbour, may stay), or wrapped over lines, and each run of
 * twelve characters or more of it.
 */
export function redact(text: string): string {
  return redactor.apply(text);
}

/** From now on, and until it is said anew, these are known, however many others are met meanwhile. */
export function pinValues(values: Iterable<string>): void {
  const now = new Set(values);
  for (const value of now) if (!pinned.has(value) && !met.has(value)) redactor.add(value, MASK);
  for (const value of pinned) if (!now.has(value) && !met.has(value)) redactor.delete(value);
  pinned = now;
}

function remember(text: string): void {
  if (!met.delete(text) && !pinned.has(text)) redactor.add(text, MASK);
  met.add(text);
  if (met.size <= REMEMBERED) return;
  const [oldest] = met;
  if (oldest === undefined) return;
  met.delete(oldest);
  if (!pinned.has(oldest)) redactor.delete(oldest);
}
