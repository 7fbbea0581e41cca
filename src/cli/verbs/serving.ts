/** What stays up: everything embedded, or a worker; and what a worker needs first. */
import type { Command } from 'commander';
import type { LedgerMigrateOptions } from '../ledger.js';
import type { UpOptions } from '../up.js';
import type { WorkerOptions } from '../worker.js';
import type { Action } from './action.js';

export function addServingVerbs(program: Command, action: Action): void {
  program
    .command('up')
    .description('everything embedded, staying up: Temporal with its UI, PostgreSQL, a worker, and the example systems')
    .option('--state <dir>', 'keep Temporal and the ledger between runs in this directory')
    .option('--examples <systems>', 'which of the example systems to start, with commas between them (default: all)')
    .action(action(async (context, options: UpOptions) => (await import('../up.js')).up(context, options)));

  program
    .command('worker')
    .description('a worker only, beside the files and engines that it changes')
    .option('--task-queue <name>', 'the queue to poll (an environment names its own in the inventory)')
    .action(action(async (context, options: WorkerOptions) => (await import('../worker.js')).worker(context, options)));

  program
    .command('ledger')
    .description('the tables of the ledger')
    .command('migrate')
    .description(
      'make them or bring them up to date, as their owner (KEYTURN_LEDGER_OWNER_URL), and grant the worker its rights',
    )
    .option('--grant-to <role>', 'who adds rows and reads them (default: the user of KEYTURN_DATABASE_URL)')
    .action(
      action(async (context, options: LedgerMigrateOptions) =>
        (await import('../ledger.js')).ledgerMigrate(context, options),
      ),
    );
}
