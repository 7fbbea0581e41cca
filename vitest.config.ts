import { defineConfig } from 'vitest/config';

/**
 * `*.test.ts` are unit tests: no servers, fast. `*.it.test.ts` and test/e2e share one Temporal dev server and one embedded
 * PostgreSQL, started by test/support/global-setup.ts; each file takes its own task queue and its own databases.
 */
/** What is waited for comes soon on a quiet machine, and later on a busy one; that it comes is what a test claims. */
const PATIENT = { timeout: 30_000, interval: 50 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['**/*.it.test.ts', 'test/e2e/**'],
          // A net, not an expectation: a property is tried a hundred times, and a machine may be busy with something else.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: PATIENT },
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.it.test.ts', 'test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          // Nets, not expectations: real servers on two busy cores. What must be quick says so in its own test.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: PATIENT },
          // Two cores: more files at once only wait for each other's servers.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
