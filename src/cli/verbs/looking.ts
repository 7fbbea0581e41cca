/** What only looks: runs, secrets, the ledger, the schema. */
import { Argument, Option, type Command } from 'commander';
import type { LogOptions } from '../log.js';
import type { StatusOptions } from '../status.js';
import type { Action } from './action.js';
import { refArgument, wholeNumber } from './arguments.js';

export function addLookingVerbs(program: Command, action: Action): void {
  program
    .command('status')
    .description('what runs, what it waits for, who may decide; with REF the full checklist, also of the last run')
    .addArgument(refArgument().argOptional())
    .option('--exit-code', 'with REF: exit as that run stands (0 running or completed, 1, 3, 4)')
    .action(
      action(async (context, ref: string | undefined, options: StatusOptions) =>
        (await import('../status.js')).status(context, ref, options),
      ),
    );

  program
    .command('inventory')
    .description('all secrets: kind, place, cadence, last and next date')
    .action(action(async (context) => (await import('../inventory.js')).inventory(context)));

  program
    .command('log')
    .description('the ledger: Date | Secret | Operator | Method | Notes')
    .addArgument(new Argument('[ref]', 'only SYSTEM, SYSTEM/SECRET or SYSTEM/ENV/SECRET'))
    .addOption(new Option('--csv', 'as CSV'))
    .option('--limit <n>', 'only the newest so many', wholeNumber)
    .option('--verify', 'walk the hash chain and name the first altered row')
    .option('--head <hash>', 'with --verify: the newest hash noted elsewhere; finds rows cut off the end')
    .action(
      action(async (context, ref: string | undefined, options: LogOptions) =>
        (await import('../log.js')).log(context, ref, options),
      ),
    );

  program
    .command('schema')
    .description('the JSON Schema of an inventory file, for editors')
    .action(action(async (context) => (await import('../schema.js')).schema(context)));
}
