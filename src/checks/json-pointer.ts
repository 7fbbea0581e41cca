/**
 * JSON Pointer (RFC 6901): `/services/0/state`, with `~1` for "/" and `~0` for "~"; the empty pointer is the whole document.
 * @returns undefined when nothing stands there (JSON itself has no undefined).
 */
export function resolvePointer(document: unknown, pointer: string): unknown {
  if (pointer === '') return document;
  if (!pointer.startsWith('/')) return undefined;
  let place: unknown = document;
  for (const token of pointer.slice(1).split('/')) {
    // Order of RFC 6901 section 4: "~01" means "~1", not "/".
    place = child(place, token.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (place === undefined) return undefined;
  }
  return place;
}

function child(place: unknown, key: string): unknown {
  if (Array.isArray(place)) return /^(?:0|[1-9]\d*)$/.test(key) ? (place as unknown[])[Number(key)] : undefined;
  if (typeof place !== 'object' || place === null || !Object.hasOwn(place, key)) return undefined;
  return (place as Record<string, unknown>)[key];
}
