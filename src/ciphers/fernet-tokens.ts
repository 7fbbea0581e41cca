/**
 * The Fernet tokens of a page, decoded side by side in one buffer. A token's length is a multiple of four characters, so the texts
 * of all of them decode in one call, as long as each "=" is read as an "A" (six zero bits) that is known to be padding.
 */

/** Version, timestamp. */
export const HEADER_BYTES = 9;
export const BLOCK_BYTES = 16;
export const MAC_BYTES = 32;
const VERSION = 0x80;
/** Version, timestamp, iv, one block, MAC: 73 bytes, in base64 100 characters. */
const SHORTEST_TEXT = 100;
const [EQUALS, LETTER_A] = [0x3d, 0x41];

export interface Tokens {
  /** All tokens, each from a multiple of three on. */
  readonly bytes: Buffer;
  /** Of each token: its row in the page, where it starts, how many bytes it has without what fills up to a multiple of three. */
  readonly rows: readonly number[];
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
}

/** Room for a page's texts and bytes, used again for the next page: a quarter of what a page leaves behind to be collected. */
export interface Workspace {
  chars: Buffer;
  bytes: Buffer;
}

export function newWorkspace(): Workspace {
  return { chars: Buffer.alloc(0), bytes: Buffer.alloc(0) };
}

function atLeast(room: Buffer, size: number): Buffer {
  return room.length >= size ? room : Buffer.alloc(size);
}

/** Those among a page's values that have the form of a token: canonical base64, version, lengths. Says nothing of their MACs. Good until the workspace is used again. */
export function decodeTokens(values: readonly (Buffer | null)[], workspace: Workspace): Tokens {
  const candidates: { readonly row: number; readonly value: Buffer }[] = [];
  let size = 0;
  values.forEach((value, row) => {
    if (value === null || value.length < SHORTEST_TEXT || value.length % 4 !== 0) return;
    candidates.push({ row, value });
    size += value.length;
  });
  workspace.chars = atLeast(workspace.chars, size);
  workspace.bytes = atLeast(workspace.bytes, (size / 4) * 3);
  const chars = workspace.chars.subarray(0, size);
  const bytes = workspace.bytes.subarray(0, (size / 4) * 3);
  const rows: number[] = [];
  const starts: number[] = [];
  const lengths: number[] = [];
  let at = 0;
  for (const { value } of candidates) {
    value.copy(chars, at);
    at += value.length;
    const padding = paddingOf(value);
    if (padding > 0) chars.fill(LETTER_A, at - padding, at);
  }
  const wholePage = decodeStrictly(chars, bytes);
  let start = 0;
  let from = 0;
  for (const { row, value } of candidates) {
    const end = from + value.length;
    const room = (value.length / 4) * 3;
    const length = room - paddingOf(value);
    const own = bytes.subarray(start, start + room);
    if ((wholePage || decodeStrictly(chars.subarray(from, end), own)) && hasFormOfToken(bytes, start, length, room)) {
      rows.push(row);
      starts.push(start);
      lengths.push(length);
    }
    start += room;
    from = end;
  }
  return { bytes, rows, starts, lengths };
}

/** @param bytes tokens as in Tokens. @returns for each the base64 text with padding. */
export function encodeTokens(bytes: Buffer, starts: readonly number[], lengths: readonly number[]): Buffer[] {
  const chars = Buffer.from(bytes.toString('base64url'), 'latin1');
  return starts.map((start, index) => {
    const length = lengths[index] ?? 0;
    const room = roomFor(length);
    const end = ((start + room) / 3) * 4;
    if (room > length) chars.fill(EQUALS, end - (room - length), end);
    return chars.subarray((start / 3) * 4, end);
  });
}

/** Bytes that a token takes up in a page: a multiple of three, as base64 has it. */
export function roomFor(length: number): number {
  return Math.ceil(length / 3) * 3;
}

function paddingOf(value: Buffer): 0 | 1 | 2 {
  if (value[value.length - 1] !== EQUALS) return 0;
  return value[value.length - 2] === EQUALS ? 2 : 1;
}

/** Node reads base64 leniently: it skips what is none and takes both alphabets. Only what is written back the same was canonical. */
function decodeStrictly(chars: Buffer, into: Buffer): boolean {
  const text = chars.toString('latin1');
  return into.write(text, 0, into.length, 'base64url') === into.length && into.toString('base64url') === text;
}

function hasFormOfToken(bytes: Buffer, start: number, length: number, room: number): boolean {
  const blocks = length - HEADER_BYTES - BLOCK_BYTES - MAC_BYTES;
  if (bytes[start] !== VERSION || blocks < BLOCK_BYTES || blocks % BLOCK_BYTES !== 0) return false;
  // The bits of the last character that stand for nothing are zero in canonical base64.
  for (let at = length; at < room; at += 1) if (bytes[start + at] !== 0) return false;
  return true;
}
