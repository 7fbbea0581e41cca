/**
 * An archive's text in pieces of whole lines that fit a printed code each, and back. One piece is the archive as it is; of several
 * each begins with a line `KEYTURN n/m ID`, where ID is the beginning of the whole text's SHA-256. Pure.
 */
import { KeyturnError } from '../domain/errors.js';
import { sha256 } from './manifest.js';

/** Version 25 at error correction level M holds 997 bytes (ISO/IEC 18004, table 7). */
const MOST_BYTES = 997;
/** `KEYTURN 12/12 0123abcd` and its line end. */
const HEADER_BYTES = 23;
/** Nobody scans more without losing one; then an archive per secret is the better way. */
const MOST_PARTS = 12;
const ID_DIGITS = 8;

const PART = /^KEYTURN (\d{1,2})\/(\d{1,2}) ([0-9a-f]{8})\n/;

/** @param archive armored: lines of ASCII. @throws KeyturnError `qr-too-large`. */
export function splitParts(archive: string): string[] {
  if (archive.length <= MOST_BYTES) return [archive];
  const lines = linesOf(archive);
  const count = Math.ceil(archive.length / (MOST_BYTES - HEADER_BYTES - longest(lines)));
  if (count > MOST_PARTS) {
    throw new KeyturnError('qr-too-large', `the archive would take ${count} codes, more than ${MOST_PARTS}`, {
      hint: 'one secret an archive, fewer recipients (a post-quantum one takes two codes), or no qr: keep the file itself',
    });
  }
  // Of about the same size, so that all codes are as easy to scan.
  const pieces = Array.from({ length: count }, (): string[] => []);
  let before = 0;
  for (const line of lines) {
    pieces[Math.floor((before * count) / archive.length)]?.push(line);
    before += line.length + 1;
  }
  const id = idOf(lines);
  return pieces.map((piece, index) => `KEYTURN ${index + 1}/${count} ${id}\n${piece.join('\n')}\n`);
}

export function isPart(text: string): boolean {
  return PART.test(unified(text));
}

/** @param texts in any order; one that was scanned twice is taken once. @throws KeyturnError `archive-malformed` naming what is missing. */
export function joinParts(texts: readonly string[]): string {
  const parts = texts.map(partOf);
  const [first] = parts;
  if (!first) throw malformed('there is no part of an archive');
  if (parts.some(({ of, id }) => of !== first.of || id !== first.id)) {
    throw malformed('these parts are of different archives');
  }
  const pieces = Array.from(
    { length: first.of },
    (_, index) => parts.find(({ number }) => number === index + 1)?.lines,
  );
  const missing = pieces.flatMap((piece, index) => (piece === undefined ? [index + 1] : []));
  if (missing.length > 0) throw malformed(`of ${first.of} parts these are missing: ${missing.join(', ')}`);
  const lines = pieces.flatMap((piece) => piece ?? []);
  if (idOf(lines) === first.id) return `${lines.join('\n')}\n`;
  throw malformed('the parts do not make up the archive: one was not scanned correctly');
}

function partOf(text: string): { number: number; of: number; id: string; lines: string[] } {
  const whole = unified(text);
  const match = PART.exec(whole);
  if (!match) throw malformed('a text here is no part of an archive: it does not begin with KEYTURN n/m');
  const [header, number, of, id = ''] = match;
  return { number: Number(number), of: Number(of), id, lines: linesOf(whole.slice(header.length)) };
}

/** Scanning programs and editors add or drop line ends at the end of a text. */
function linesOf(text: string): string[] {
  return text.replace(/\n+$/, '').split('\n');
}

function unified(text: string): string {
  return text
    .replace(/^\ufeff/, '')
    .replaceAll('\r\n', '\n')
    .trimStart();
}

function longest(lines: readonly string[]): number {
  return Math.max(...lines.map((line) => line.length + 1));
}

function idOf(lines: readonly string[]): string {
  return sha256(Buffer.from(lines.join('\n'), 'latin1')).slice(0, ID_DIGITS);
}

function malformed(message: string): KeyturnError {
  return new KeyturnError('archive-malformed', message);
}
