/**
 * One text for one piece of JSON data, whoever writes it: RFC 8785 (JCS). Keys sorted by UTF-16 code units, no white space,
 * numbers and strings as ECMAScript writes them (which is what the RFC prescribes). Entries that are undefined are left out.
 * Hashes of plans and of ledger rows are taken over it.
 */
import { KeyturnError } from './errors.js';

/** @throws KeyturnError `not-canonical` for what JSON cannot hold: NaN, infinities, functions, half a surrogate pair. */
export function canonicalJson(data: unknown): string {
  if (data === null || typeof data === 'boolean') return JSON.stringify(data);
  if (typeof data === 'string') {
    if (/\p{Surrogate}/u.test(data)) throw unfit('half a surrogate pair');
    return JSON.stringify(data);
  }
  if (typeof data === 'number') {
    if (!Number.isFinite(data)) throw unfit('a number that is not finite');
    return JSON.stringify(data);
  }
  if (Array.isArray(data)) return `[${data.map((item: unknown) => canonicalJson(item)).join(',')}]`;
  if (typeof data !== 'object') throw unfit(typeof data);
  const entries = Object.entries(data).filter(([, value]) => value !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, value]) => `${canonicalJson(key)}:${canonicalJson(value)}`).join(',')}}`;
}

function unfit(what: string): KeyturnError {
  return new KeyturnError('not-canonical', `JSON cannot hold ${what}`);
}
