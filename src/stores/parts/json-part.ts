/** One string inside a JSON text, named by a JSON Pointer (RFC 6901). The rest of the text stays byte for byte as it is. */
import { KeyturnError } from '../../domain/errors.js';
import type { Part, PartLocation } from './part.js';

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;

export function jsonPart(pointer: string): Part {
  const path = pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { locate: (whole) => locate(whole, path, pointer), encode };
}

function locate(json: string, path: readonly string[], pointer: string): PartLocation {
  try {
    JSON.parse(json);
  } catch {
    // No cause: a SyntaxError quotes the text.
    throw new KeyturnError('malformed', 'the value is not JSON');
  }
  const found: PartLocation[] = [];
  walk(json, 0, path, found);
  const [place, second] = found;
  if (!place) throw new KeyturnError('not-found', `the JSON value has no string at ${pointer}`);
  if (second) throw new KeyturnError('malformed', `the JSON value has ${pointer} more than once`);
  if (place.value === '') throw new KeyturnError('not-found', `the JSON value is empty at ${pointer}`);
  return place;
}

/** Walks the value at `at`, noting strings under `path` (null: not on the path). @returns where the value ends. */
function walk(json: string, at: number, path: readonly string[] | null, found: PartLocation[]): number {
  const start = skip(SPACE, json, at);
  const opener = json[start];
  if (opener === '{' || opener === '[') return walkMembers(json, start, path, found);
  if (opener !== '"') return skip(SCALAR, json, start);
  const end = skip(STRING, json, start);
  if (path?.length === 0) found.push({ start, end, value: JSON.parse(json.slice(start, end)) as string });
  return end;
}

function walkMembers(json: string, start: number, path: readonly string[] | null, found: PartLocation[]): number {
  const isObject = json[start] === '{';
  let at = skip(SPACE, json, start + 1);
  for (let index = 0; json[at] !== '}' && json[at] !== ']'; index += 1) {
    let name = String(index);
    if (isObject) {
      const nameEnd = skip(STRING, json, at);
      name = JSON.parse(json.slice(at, nameEnd)) as string;
      at = skip(SPACE, json, nameEnd) + 1;
    }
    at = skip(SPACE, json, walk(json, at, path?.[0] === name ? path.slice(1) : null, found));
    if (json[at] === ',') at = skip(SPACE, json, at + 1);
  }
  return at + 1;
}

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return from + (pattern.exec(text)?.[0].length ?? 0);
}

/** Quotes, `$`, backslash and the like as \uXXXX: to JSON the same, and harmless to every reader of an env file. */
function encode(value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new KeyturnError('unrepresentable', 'the value is not well-formed Unicode');
  const escaped = value.replaceAll(/[^\p{L}\p{N} _.,:;/@%+=^~|!?*()<>[\]{}&#-]/gu, (char) =>
    [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
  return `"${escaped}"`;
}
