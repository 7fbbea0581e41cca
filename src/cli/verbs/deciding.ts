/** What a person says to a run that waits: decisions, and where a wait goes. */
import { Argument, type Command } from 'commander';
import type { CancelOptions } from '../cancel.js';
import type { DecideOptions } from '../decide.js';
import type { DiscardOptions } from '../discard.js';
import type { SteerOptions } from '../steer.js';
import type { Action } from './action.js';
import { refArgument } from './arguments.js';

export function addDecidingVerbs(program: Command, action: Action): void {
  for (const [verb, description] of [
    ['approve', 'approve the open gate'],
    ['reject', 'reject the open gate: the rotation is undone, or stops where its question says so'],
  ] as const) {
    program
      .command(verb)
      .description(description)
      .addArgument(refArgument())
      .requiredOption('--as <who>', 'who decides; recorded')
      .option('--gate <name>', 'only if this gate is the open one')
      .option('--plan <digest>', 'only if the run carries out this plan')
      .option('--note <text>', 'for the record')
      .action(
        action(async (context, ref: string, options: DecideOptions) =>
          (await import('../decide.js')).decide(context, verb, ref, options),
        ),
      );
  }

  program
    .command('extend')
    .description('keep an old database role longer')
    .addArgument(refArgument())
    .addArgument(new Argument('<for>', 'how much longer than it stands: 6h'))
    .requiredOption('--as <who>', 'who wants it; recorded')
    .option('--note <text>', 'for the record')
    .action(
      action(async (context, ref: string, longer: string, options: SteerOptions) =>
        (await import('../steer.js')).steer(context, 'extend', ref, options, longer),
      ),
    );

  for (const [verb, steer, description] of [
    ['drop-now', 'dropNow', 'do not wait on: a decision about dropping the old role is asked for at once'],
    [
      'abort',
      'abort',
      'go back to the old database role, in each environment whose run waits with it: all is undone there',
    ],
    ['try-again', 'tryAgain', 'try an undo that fails once more, now'],
    ['go-on-without', 'goOnWithout', 'leave what cannot be undone as it is, and undo the rest'],
    ['stop-here', 'stopHere', 'undo nothing more: a person does the rest'],
  ] as const) {
    program
      .command(verb)
      .description(description)
      .addArgument(refArgument())
      .requiredOption('--as <who>', 'who wants it; recorded')
      .option('--note <text>', 'for the record')
      .action(
        action(async (context, ref: string, options: SteerOptions) =>
          (await import('../steer.js')).steer(context, steer, ref, options),
        ),
      );
  }

  program
    .command('cancel')
    .description('end a run by its own undo; says first what that comes to')
    .addArgument(refArgument())
    .requiredOption('--as <who>', 'who wants it; recorded')
    .option('--note <text>', 'for the record')
    .option('--yes', 'although something is to be undone')
    .option('--wait', 'show progress until the run has ended')
    .action(
      action(async (context, ref: string, options: CancelOptions) =>
        (await import('../cancel.js')).cancel(context, ref, options),
      ),
    );

  program
    .command('discard')
    .description('destroy what a run that is over left beside a secret, where no run can settle it')
    .addArgument(refArgument())
    .requiredOption('--as <who>', 'who wants it; recorded')
    .option('--note <text>', 'for the record')
    .option('--yes', 'although it is not known that nothing uses it')
    .action(
      action(async (context, ref: string, options: DiscardOptions) =>
        (await import('../discard.js')).discard(context, ref, options),
      ),
    );
}
