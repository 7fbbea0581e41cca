/**
 * Values of one key wherever they stand: the whole of a field, within longer text, in a document. Nothing is found by its looks: what
 * has the format's form is tried with the key itself.
 */
export interface Found {
  /** Authentic under the key; where what else is authenticated is not known: decrypts to text. */
  readonly hits: number;
  /** Have the form, and could not be tried to the end. */
  readonly undecided: number;
}

export interface Sought {
  /** A field as the server stores it; text as UTF-8, a document or an array with whatever stands around its texts. */
  readonly field: Buffer;
  /** Columns of the same row by name, for formats that authenticate some. */
  readonly row: ReadonlyMap<string, string>;
}

export interface Finder {
  /** Every value has these characters in it, or null: nothing marks one. They can be asked for by a server. */
  readonly mark: string | null;
  /** No value is shorter, in bytes. */
  readonly shortest: number;
  /** What else a value begins with where it stands alone and as bytes: `mark` is then not in it. */
  readonly firstByte: number | null;
  /** Columns whose text is authenticated with a value. */
  readonly associated: readonly string[];
  find(sought: Sought): Found;
}

export const NOTHING_FOUND: Found = { hits: 0, undecided: 0 };

export function addFound(one: Found, other: Found): Found {
  return { hits: one.hits + other.hits, undecided: one.undecided + other.undecided };
}

/** As JSON writers and URLs may write what base64 is made of; in nothing else do these stand for a character of it. */
const WRITTEN_OTHERWISE: readonly [RegExp, string][] = [
  [/\\\/|\\u002f|%2f/gi, '/'],
  [/\\u002b|%2b/gi, '+'],
  [/\\u003d|%3d/gi, '='],
  [/\\u005f|%5f/gi, '_'],
  [/\\u003a|%3a/gi, ':'],
];

/** One character a byte. */
export function textOf(field: Buffer): string {
  const text = field.toString('latin1');
  if (!text.includes('\\') && !text.includes('%')) return text;
  return WRITTEN_OTHERWISE.reduce((written, [other, character]) => written.replace(other, character), text);
}
