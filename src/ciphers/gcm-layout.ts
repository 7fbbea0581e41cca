/** Where iv, tag and ciphertext stand in a stored AES-256-GCM value, and how they are written. */
import { KeyturnError } from '../domain/errors.js';
import type { GcmFormat } from '../domain/specs/ciphertext.js';
import { decode, decodeText, encodeText, type TextEncoding } from './encodings.js';
import { keyId } from './key-material.js';

/** 128 bits, the only length that Node's applications use. */
export const TAG_BYTES = 16;

export interface GcmParts {
  readonly iv: Buffer;
  readonly tag: Buffer;
  readonly ciphertext: Buffer;
}

export interface ParsedGcm extends GcmParts {
  /** Base64 was found with its padding. */
  readonly padded: boolean;
}

const ALPHABETS: Readonly<Record<GcmFormat['encoding'], RegExp>> = {
  hex: /[0-9a-f]/i,
  base64: /[A-Za-z0-9+/=]/,
  base64url: /[A-Za-z0-9_=-]/,
  binary: /[^]/,
};

/** @throws KeyturnError `bad-format` for a separator that could as well be part of what it separates. */
export function checkGcmFormat({ encoding, separator }: GcmFormat): void {
  if (separator === undefined || !ALPHABETS[encoding].test(separator)) return;
  throw new KeyturnError('bad-format', `the separator "${separator}" may stand within ${encoding} itself`, {
    hint: 'name another separator or encoding, as the application has it; packed bytes have no separator',
  });
}

/** What stands before everything else in a value under this key. */
export function prefixOf({ prefix }: GcmFormat, key: Buffer): Buffer {
  return Buffer.from(prefix.replaceAll('${key.id}', keyId(key)), 'utf8');
}

/** @param value without its prefix. @returns null: it is not laid out like that. */
export function parseGcm(format: GcmFormat, value: Buffer): ParsedGcm | null {
  const { separator, encoding } = format;
  // Binary values have no separator: checkGcmFormat.
  if (separator === undefined || encoding === 'binary') return parsePacked(format, value);
  return parseSeparated(format, value.toString('latin1'), latin1Of(separator), encoding);
}

export function writeGcm(format: GcmFormat, prefix: Buffer, parts: GcmParts, padded: boolean): Buffer {
  const { layout, encoding, separator } = format;
  const inOrder = layout.map((part) => parts[part]);
  if (encoding === 'binary') return Buffer.concat([prefix, ...inOrder]);
  // As one text: a Buffer for each part costs more than what it holds.
  const text =
    separator === undefined
      ? encodeText(Buffer.concat(inOrder), encoding, padded)
      : inOrder.map((part) => encodeText(part, encoding, padded)).join(latin1Of(separator));
  return Buffer.from(prefix.toString('latin1') + text, 'latin1');
}

/** UTF-8's bytes, a character each. */
function latin1Of(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

function parsePacked({ layout, encoding, ivLength }: GcmFormat, value: Buffer): ParsedGcm | null {
  const decoded = decode(value, encoding);
  if (decoded === null || decoded.bytes.length < ivLength + TAG_BYTES) return null;
  const { bytes, padded } = decoded;
  const ciphertext = bytes.length - ivLength - TAG_BYTES;
  const sizes = { iv: ivLength, tag: TAG_BYTES, ciphertext };
  const parts: Partial<Record<keyof GcmParts, Buffer>> = {};
  let at = 0;
  for (const part of layout) {
    parts[part] = bytes.subarray(at, at + sizes[part]);
    at += sizes[part];
  }
  return complete(parts, padded);
}

function parseSeparated(
  { layout, ivLength }: GcmFormat,
  text: string,
  between: string,
  encoding: TextEncoding,
): ParsedGcm | null {
  const first = text.indexOf(between);
  const second = first < 0 ? -1 : text.indexOf(between, first + between.length);
  if (second < 0) return null;
  const texts = [text.slice(0, first), text.slice(first + between.length, second), text.slice(second + between.length)];
  const parts: Partial<Record<keyof GcmParts, Buffer>> = {};
  let padded = false;
  for (const [index, part] of layout.entries()) {
    const decoded = decodeText(texts[index] ?? '', encoding);
    if (decoded === null) return null;
    parts[part] = decoded.bytes;
    // Of 12, 16 and however many bytes at least one needs padding, if padding is used at all: 16 does.
    if (part === 'tag') padded = decoded.padded;
  }
  const whole = complete(parts, padded);
  return whole?.iv.length === ivLength && whole.tag.length === TAG_BYTES ? whole : null;
}

function complete({ iv, tag, ciphertext }: Partial<GcmParts>, padded: boolean): ParsedGcm | null {
  return iv && tag && ciphertext ? { iv, tag, ciphertext, padded } : null;
}
