/** What starts a run, and the plan that shows it beforehand. */
import type { Command } from 'commander';
import type { PlanOptions } from '../plan.js';
import type { RecoverOptions } from '../recover.js';
import type { RotateOptions } from '../rotate.js';
import type { Action } from './action.js';
import { operatorOption, reasonOption, refArgument, stopAtGateOption } from './arguments.js';

export function addRunVerbs(program: Command, action: Action): void {
  program
    .command('plan')
    .description(
      'every step a run would take, and what its first step would find, by its own workers; nothing is written',
    )
    .addArgument(refArgument())
    .addOption(operatorOption())
    .addOption(reasonOption())
    .option('--no-checks', 'only the steps, as the inventory here has them; ask no worker')
    .option('--flows', 'also sign in, and try the proof, which leaves traces: a session, a line in a log')
    .action(
      action(async (context, ref: string, options: PlanOptions) =>
        (await import('../plan.js')).plan(context, ref, options),
      ),
    );

  program
    .command('rotate')
    .description('start the right runbook for the secret')
    .addArgument(refArgument())
    .requiredOption('--operator <who>', 'who asks for it; recorded, and may not approve it alone')
    .addOption(reasonOption())
    .option('--note <text>', 'for the record')
    .option('--wait', 'show progress until the run has ended')
    .addOption(stopAtGateOption())
    .action(
      action(async (context, ref: string, options: RotateOptions) =>
        (await import('../rotate.js')).rotate(context, ref, options),
      ),
    );

  program
    .command('recover')
    .description('an encryption key is lost: keep what can be read, quarantine the rest, enter it again')
    .addArgument(refArgument())
    .requiredOption('--operator <who>', 'who asks for it; recorded, and may not approve it alone')
    .option('--from <file...>', 'archives that may hold the key, where the worker is')
    .option('--identity-file <file>', 'the age identity that opens them, where the worker is')
    .option('--passphrase-file <file>', 'the passphrase of a gpg archive, where the worker is')
    .option('--note <text>', 'for the record')
    .option('--wait', 'show progress until the run has ended')
    .addOption(stopAtGateOption())
    .action(
      action(async (context, ref: string, options: RecoverOptions) =>
        (await import('../recover.js')).recover(context, ref, options),
      ),
    );
}
