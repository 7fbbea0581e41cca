/**
 * What must be gone when a test file is done, the last one first. Registered as this module is loaded: an `afterAll` from
 * within a `beforeAll` is never run.
 */
import { afterAll } from 'vitest';

type Release = () => Promise<unknown>;

const releases: Release[] = [];

// A net for a busy machine.
afterAll(async () => {
  const failures: unknown[] = [];
  for (const release of releases.reverse()) await release().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, 'not everything could be released');
}, 120_000);

export function afterwards(release: Release): void {
  releases.push(release);
}
