/**
 * PostgreSQL's binary form of a one-dimensional array (array_send, array_recv): how a page of values comes and goes. What came can
 * be sent back as it is, so keys are never interpreted here and any type will do.
 */

export interface ElementArray {
  /** OID of the elements' type; array_recv refuses another one. */
  readonly elementType: number;
  readonly elements: readonly (Buffer | null)[];
}

/** Dimensions, flags, element type; then of the one dimension: length, lower bound. */
const HEADER_BYTES = 20;
const NULL_LENGTH = -1;

export function parseArray(array: Buffer): ElementArray {
  const elementType = array.readUInt32BE(8);
  if (array.readInt32BE(0) === 0) return { elementType, elements: [] };
  const count = array.readInt32BE(12);
  const elements = new Array<Buffer | null>(count);
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index += 1) {
    const length = array.readInt32BE(at);
    at += 4;
    if (length === NULL_LENGTH) {
      elements[index] = null;
    } else {
      elements[index] = array.subarray(at, at + length);
      at += length;
    }
  }
  return { elementType, elements };
}

export function buildArray({ elementType, elements }: ElementArray): Buffer {
  const size = elements.reduce((sum, element) => sum + 4 + (element?.length ?? 0), HEADER_BYTES);
  const array = Buffer.allocUnsafe(size);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(elements.includes(null) ? 1 : 0, 4);
  array.writeUInt32BE(elementType, 8);
  array.writeInt32BE(elements.length, 12);
  array.writeInt32BE(1, 16);
  let at = HEADER_BYTES;
  for (const element of elements) {
    array.writeInt32BE(element?.length ?? NULL_LENGTH, at);
    at += 4;
    if (element) at += element.copy(array, at);
  }
  return array;
}

/** Those elements alone, in the given order. */
export function pick(array: Buffer, places: readonly number[]): Buffer {
  const { elementType, elements } = parseArray(array);
  return buildArray({ elementType, elements: places.map((place) => elements[place] ?? null) });
}
