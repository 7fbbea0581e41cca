/** Text from outside (a driver's message, a command's output, a response) made fit to show: redacted, one line, short. */
import { maskCredentials, withoutColours, withoutControls } from './masks.js';

const LIMIT = 300;

export function oneLine(text: string, limit = LIMIT): string {
  const clean = withoutControls(maskCredentials(withoutColours(text)))
    .replace(/\s+/g, ' ')
    .trim();
  return clean.length > limit ? `${clean.slice(0, limit - 1)}…` : clean;
}

/** A value met in an answer, in words that give nothing away: numbers and plain words as they are, of others the size. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') {
    const plain = /^[A-Za-z][A-Za-z _-]{0,23}$/.test(value) && oneLine(value) === value;
    return plain ? `"${value}"` : `a text of ${value.length} characters`;
  }
  return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
}
