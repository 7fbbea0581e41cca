/** A secret inside a larger value: a password in a URL, a field of a JSON text. */
import type { PartSpec } from '../../domain/specs/secret.js';
import { jsonPart } from './json-part.js';
import { urlPart } from './url-part.js';

export interface PartLocation {
  /** Where the part stands in the whole, as it is encoded there. */
  readonly start: number;
  readonly end: number;
  /** Decoded. */
  readonly value: string;
}

export interface Part {
  /** @throws KeyturnError `malformed` or `not-found`; the message never shows the whole. */
  locate(whole: string): PartLocation;
  /** @throws KeyturnError `unrepresentable`. */
  encode(value: string): string;
}

const WHOLE: Part = {
  locate: (whole) => ({ start: 0, end: whole.length, value: whole }),
  encode: (value) => value,
};

export function partOf(spec: PartSpec | undefined): Part {
  if (!spec) return WHOLE;
  return 'url' in spec ? urlPart(spec.url) : jsonPart(spec.json);
}

/** `whole` with the part replaced by `encoded`; all other characters stay. */
export function splicePart(part: Part, whole: string, encoded: string): string {
  const place = part.locate(whole);
  return whole.slice(0, place.start) + encoded + whole.slice(place.end);
}
