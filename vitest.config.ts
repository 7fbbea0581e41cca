import { execFileSync } from 'node:child_process';
import { defineConfig } from 'vitest/config';
import { ByCost } from './test/support/by-cost.js';

/**
 * `*.test.ts` are unit tests: no servers, fast. `*.it.test.ts` share one Temporal dev server and one embedded PostgreSQL, started by
 * test/support/global-setup.ts; each file takes its own task queue and its own databases. `*.deep.test.ts` do too, and are left to
 * `npm run test:deep`, which also takes every matrix whole (test/support/sample.ts).
 */
const deep = process.env['KEYTURN_TESTS'] === 'deep';
const DEEP = '**/*.deep.test.ts';

/** From which samples are drawn: another tree, another part of each matrix; the same tree, the same part. */
process.env['KEYTURN_SAMPLE'] ??= treeHash();

function treeHash(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=8', 'HEAD^{tree}'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    // An unpacked archive has no history.
    return '00000000';
  }
}

/** What is waited for comes soon on a quiet machine, and later on a busy one; that it comes is what a test claims. */
const PATIENT = { timeout: 30_000, interval: 50 };

const json = process.env['KEYTURN_TESTS_JSON'];

export default defineConfig({
  test: {
    reporters: [
      'default',
      './test/support/costs-reporter.ts',
      ...(json === undefined ? [] : [['json', { outputFile: json }] as [string, Record<string, unknown>]]),
    ],
    sequence: { sequencer: ByCost },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['**/*.it.test.ts', DEEP],
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
          include: ['test/**/*.it.test.ts', ...(deep ? [`test/${DEEP}`] : [])],
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
