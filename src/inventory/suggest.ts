/** "Did you mean": the nearest of the names that would have been right, or all of them when none is near. */
import { closest, distance } from 'fastest-levenshtein';

const LISTED = 12;

/** @param what how the list is introduced when no name is near: `this environment has`. */
export function suggest(wrong: string, right: Iterable<string>, what: string): string {
  const names = [...right];
  if (names.length === 0) return `${what}: none`;
  const folded = names.find((name) => name.toLowerCase() === wrong.toLowerCase());
  const near = folded ?? closest(wrong, names);
  // A third of the letters may differ, at least two: "vualt" is two away from "vault".
  if (folded !== undefined || distance(wrong, near) <= Math.max(2, Math.floor(wrong.length / 3))) {
    return `did you mean "${near}"?`;
  }
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${what}: ${names.slice(0, LISTED).join(', ')}${more}`;
}
