/** What only the deep suite has time for: `inDeep.it(…)`, `inDeep.describe(…)`. The fast one does not know it, rather than skip it. */
import { describe, it } from 'vitest';
import { DEEP } from './sample.js';

interface Registers {
  readonly describe: typeof describe;
  readonly it: typeof it;
  readonly test: typeof it;
}

/** Whatever is asked of it, and called with, it is itself and does nothing. */
const nowhere: Registers = new Proxy((() => undefined) as unknown as Registers, {
  get: () => nowhere,
  apply: () => nowhere,
});

export const inDeep: Registers = DEEP ? { describe, it, test: it } : nowhere;
