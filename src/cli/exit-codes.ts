/** The one place where an error's code becomes the process's exit code. */
import { endOf } from '../domain/report.js';

export const EXIT = {
  done: 0,
  failed: 1,
  badUsage: 2,
  rejected: 3,
  waiting: 4,
  unreachable: 5,
  /** 128 + SIGINT, as shells have it: the person stopped watching; the run goes on. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Shown under `keyturn --help`. */
export const EXIT_CODE_HELP = `Exit codes:
  0  done (rotate without --wait: started)
  1  failed, refused or stopped: a person must look
  2  bad usage or bad inventory
  3  rejected, aborted, cancelled or rolled back: the old value serves
  4  waits for a person (rotate --wait --stop-at-gate, status REF --exit-code)
  5  cannot reach Temporal, a worker, the ledger or a store
  130  interrupted with Ctrl-C: a run that was started goes on`;

const BAD_USAGE = new Set([
  'bad-usage',
  'bad-reference',
  'bad-duration',
  'bad-input',
  'bad-inventory',
  'unknown-secret',
  'unknown-backup',
  'key-missing',
  'no-runbook',
  'no-inventory',
  'setting-missing',
  'setting-bad',
  'setting-secret',
  'bad-temporal-config',
  'malformed-database-url',
]);

const REJECTED = new Set(['rejected', 'rolled-back', 'cancelled']);

const UNREACHABLE = new Set([
  'temporal-unavailable',
  'no-worker',
  'not-configured',
  'ledger-unavailable',
  'ledger-misconfigured',
  'store-unavailable',
  'database-unavailable',
  'database-unreachable',
  'database-refused',
  'database-timeout',
  'no-temporal',
  'temporal-not-started',
  'no-postgres',
  'no-postgres-account',
  'postgres-not-started',
]);

export function exitCodeOf(errorCode: string): ExitCode {
  if (BAD_USAGE.has(errorCode)) return EXIT.badUsage;
  if (REJECTED.has(errorCode)) return EXIT.rejected;
  if (errorCode === 'awaiting-approval') return EXIT.waiting;
  if (UNREACHABLE.has(errorCode)) return EXIT.unreachable;
  return EXIT.failed;
}

export function exitCodeOfReport(report: Parameters<typeof endOf>[0]): ExitCode {
  switch (endOf(report)) {
    case 'completed':
      return EXIT.done;
    case 'rejected':
    case 'aborted':
    case 'rolled back':
    case 'cancelled':
      return EXIT.rejected;
    // Refused by its first step: nothing of it was tried, so nothing was rolled back.
    case 'not begun':
    case 'stopped':
      return EXIT.failed;
  }
}
