/** What a column's binary form is made of. */
import type { PlaceColumn } from './places.js';

/** The elements of an array of any dimensions, and of anything else the whole. */
export function fieldsOf(value: Buffer, type: PlaceColumn['type']): readonly Buffer[] {
  return type === 'texts' || type === 'byteas' ? elementsOf(value) : [value];
}

/** Dimensions, flags and element type; then a length and a lower bound for each dimension (array_send). */
function elementsOf(array: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  let at = 12 + 8 * array.readInt32BE(0);
  while (at < array.length) {
    const length = array.readInt32BE(at);
    at += 4;
    if (length < 0) continue;
    elements.push(array.subarray(at, at + length));
    at += length;
  }
  return elements;
}

/** Keys that lead to the first text of a document for which this holds; null: it is no document, or it holds for none by itself. */
export function pathTo(
  value: Buffer,
  type: PlaceColumn['type'],
  holds: (text: Buffer) => boolean,
): readonly string[] | null {
  if (type !== 'json' && type !== 'jsonb') return null;
  try {
    // jsonb_send: a version, then the text.
    return search(JSON.parse(value.subarray(type === 'jsonb' ? 1 : 0).toString('utf8')), holds);
  } catch {
    return null;
  }
}

function search(document: unknown, holds: (text: Buffer) => boolean): readonly string[] | null {
  if (typeof document === 'string') return holds(Buffer.from(document)) ? [] : null;
  if (typeof document !== 'object' || document === null) return null;
  for (const [key, part] of Object.entries(document)) {
    const path = search(part, holds);
    if (path) return [key, ...path];
  }
  return null;
}
