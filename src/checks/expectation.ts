/** Whether one value is what the inventory expects, and if not, in which words to say so. */
import type { Expectation } from '../domain/specs/check.js';
import { describe } from '../processes/safe-text.js';

/**
 * @param actual `undefined` means that nothing was there; JSON's null is a value like any other.
 * @returns null when met, else what was seen and what was expected: `"degraded", expected "ok"`.
 */
export function mismatch(expected: Expectation, actual: unknown): string | null {
  const wanted = unmet(expected, actual);
  return wanted === null ? null : `${describe(actual)}, expected ${wanted}`;
}

function unmet(expected: Expectation, actual: unknown): string | null {
  if (typeof expected !== 'object' || expected === null) return actual === expected ? null : JSON.stringify(expected);
  if (expected.exists === false) return actual === undefined ? null : 'nothing there';
  if (actual === undefined) return 'a value';
  if (expected.equals !== undefined && actual !== expected.equals) return JSON.stringify(expected.equals);
  if (expected.not !== undefined && actual === expected.not) return `anything but ${JSON.stringify(expected.not)}`;
  if (expected.atMost !== undefined && !(asNumber(actual) <= expected.atMost)) return `at most ${expected.atMost}`;
  if (expected.atLeast !== undefined && !(asNumber(actual) >= expected.atLeast)) return `at least ${expected.atLeast}`;
  if (expected.matches !== undefined && !matches(expected.matches, actual)) return `a match for /${expected.matches}/`;
  return null;
}

/** NaN, which no bound admits, for everything that is not a number. */
function asNumber(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}

/** A pattern that is not a regular expression matches nothing, so that the check says so instead of crashing. */
function matches(pattern: string, value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return false;
  try {
    return new RegExp(pattern, 'u').test(String(value));
  } catch {
    return false;
  }
}
