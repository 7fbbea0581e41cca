/**
 * `npm test` takes a sample of each matrix, another one with every change of the tree; `npm run test:deep` takes all of it.
 * Every run prints what its samples are drawn from: KEYTURN_SAMPLE=… draws the same again.
 */
import { randomFrom } from './random.js';

/** Everything there is, however long it takes. */
export const DEEP = process.env['KEYTURN_TESTS'] === 'deep';

/** The matrices of a file are drawn from one after the other, each at its own places. */
let drawn = 0;

/** @returns the cases in their order: all of them, or so many. */
export function sampled<T>(cases: readonly T[], many: number): readonly T[] {
  if (DEEP || cases.length <= many) return cases;
  drawn += 1;
  const random = randomFrom(seed() + drawn);
  const places = [...cases.keys()];
  while (places.length > many) places.splice(Math.floor(random() * places.length), 1);
  return places.map((place) => cases[place]!);
}

/** A number for generators of cases of their own. */
export function seed(): number {
  return Number.parseInt(process.env['KEYTURN_SAMPLE'] ?? '0', 16) >>> 0;
}
