/** The ways in which a credential is swapped. */
import type { Given } from './system.js';

export interface Scenario {
  readonly name: string;
  readonly given: Given;
  /** Who serves in the end. */
  readonly login: 'NEW' | 'OLD';
  /** The first activity from which on it only goes forward. */
  readonly forward: string;
}

/** Each is taken through every step, disturbed in every way: some hundred runs. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'group, first generation',
    given: { strategy: 'group', origin: 'own rights' },
    login: 'NEW',
    forward: 'dropOldRole 1',
  },
  {
    name: 'group, second generation',
    given: { strategy: 'group', origin: 'member of a group' },
    login: 'NEW',
    forward: 'dropOldRole 1',
  },
  { name: 'copy', given: { strategy: 'copy', origin: 'own rights' }, login: 'NEW', forward: 'dropOldRole 1' },
  {
    name: 'same-role',
    given: { strategy: 'same-role', origin: 'own rights' },
    login: 'OLD',
    forward: 'terminateOldSessions 1',
  },
  {
    name: 'copy, after a leak',
    given: { strategy: 'copy', origin: 'own rights', reason: 'leak' },
    login: 'NEW',
    forward: 'arrangeSecret 1',
  },
];

/** Phases as people see them. */
export const KEEPS = 'Keep the old role';
export const OBSERVES = 'Watch for rejected log-ins';
