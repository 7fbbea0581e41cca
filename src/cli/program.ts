/** Every verb's name, arguments and help. What a verb does is in the file of its name, imported only when it runs. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { KeyturnError } from '../domain/errors.js';
import { REASONS } from '../domain/plan.js';
import { createContext, type Context, type GlobalOptions } from './context.js';
import { EXIT, EXIT_CODE_HELP, type ExitCode } from './exit-codes.js';
import { reportFailure } from './failure.js';
import type { BackupListOptions } from './backup-list.js';
import type { RestoreOptions } from './backup-restore.js';
import type { BackupOptions } from './backup.js';
import type { DecideOptions } from './decide.js';
import type { LogOptions } from './log.js';
import type { PlanOptions } from './plan.js';
import type { RecoverOptions } from './recover.js';
import type { RotateOptions } from './rotate.js';
import type { SteerOptions } from './steer.js';
import type { StatusOptions } from './status.js';
import type { UpOptions } from './up.js';
import type { WorkerOptions } from './worker.js';

const REF_HELP = 'SYSTEM/ENV/SECRET; SYSTEM/SECRET means all its environments in rollout order';

/** @returns the exit code; never throws. */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  try {
    const program = createProgram((code) => (exitCode = code));
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    // Bare `keyturn`: its help has been printed to standard error.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.badUsage;
    const json = argv.includes('--json');
    return reportFailure(asUsageError(error), { json, debug: process.env['KEYTURN_DEBUG'] === '1' });
  }
}

export function createProgram(finish: (code: ExitCode) => void): Command {
  const program = new Command('keyturn')
    .description('Secret-rotation runbooks as durable Temporal workflows: staged, proven, approved, recorded.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [verb]', 'print help for a verb')
    .option('--inventory <dir>', 'the inventory (default: KEYTURN_INVENTORY, then ./systems, then ./examples)')
    .option('--json', 'one JSON document on standard output; messages on standard error')
    .option('--no-color', 'no colours (also: NO_COLOR, and whenever the output is not a terminal)')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', `\n${EXIT_CODE_HELP}`);

  /** Wires a verb: its function gets the context, then what Commander parsed. */
  const action =
    <Args extends unknown[]>(verb: (context: Context, ...args: Args) => Promise<ExitCode>) =>
    async (...args: unknown[]): Promise<void> => {
      // Commander appends the command itself.
      const own = args.slice(0, -1) as Args;
      finish(await verb(createContext(program.opts<GlobalOptions>()), ...own));
    };

  program
    .command('up')
    .description('everything embedded, staying up: Temporal with its UI, PostgreSQL, a worker, and the example systems')
    .option('--state <dir>', 'keep Temporal and the ledger between runs in this directory')
    .option('--examples <systems>', 'which of the example systems to start, with commas between them (default: all)')
    .action(action(async (context, options: UpOptions) => (await import('./up.js')).up(context, options)));

  program
    .command('worker')
    .description('a worker only, beside the files and engines that it changes')
    .option('--task-queue <name>', 'the queue to poll (an environment names its own in the inventory)')
    .action(action(async (context, options: WorkerOptions) => (await import('./worker.js')).worker(context, options)));

  program
    .command('plan')
    .description('every step a run would take, and the checks made now; nothing is written')
    .addArgument(refArgument())
    .addOption(operatorOption())
    .addOption(reasonOption())
    .option('--no-checks', 'only the steps; ask nothing of stores and services')
    .action(
      action(async (context, ref: string, options: PlanOptions) =>
        (await import('./plan.js')).plan(context, ref, options),
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
    .option('--stop-at-gate', 'with --wait: exit 4 as soon as a person must decide')
    .action(
      action(async (context, ref: string, options: RotateOptions) =>
        (await import('./rotate.js')).rotate(context, ref, options),
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
    .option('--stop-at-gate', 'with --wait: exit 4 as soon as a person must decide')
    .action(
      action(async (context, ref: string, options: RecoverOptions) =>
        (await import('./recover.js')).recover(context, ref, options),
      ),
    );

  for (const [verb, description] of [
    ['approve', 'approve the open gate'],
    ['reject', 'reject the open gate: the rotation is undone'],
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
          (await import('./decide.js')).decide(context, verb, ref, options),
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
        (await import('./steer.js')).steer(context, 'extend', ref, options, longer),
      ),
    );

  for (const [verb, steer, description] of [
    ['drop-now', 'dropNow', 'do not wait on: a decision about dropping the old role is asked for at once'],
    ['abort', 'abort', 'go back to the old database role: everything is undone'],
  ] as const) {
    program
      .command(verb)
      .description(description)
      .addArgument(refArgument())
      .requiredOption('--as <who>', 'who wants it; recorded')
      .option('--note <text>', 'for the record')
      .action(
        action(async (context, ref: string, options: SteerOptions) =>
          (await import('./steer.js')).steer(context, steer, ref, options),
        ),
      );
  }

  program
    .command('status')
    .description('what runs, what it waits for, who may decide; with REF the full checklist, also of the last run')
    .addArgument(refArgument().argOptional())
    .option('--exit-code', 'with REF: exit as that run stands (0 running or completed, 1, 3, 4)')
    .action(
      action(async (context, ref: string | undefined, options: StatusOptions) =>
        (await import('./status.js')).status(context, ref, options),
      ),
    );

  const backup = program
    .command('backup')
    .description('encrypted archives of secrets: made, proven by a restore, recorded')
    .addArgument(new Argument('[ref]', 'SYSTEM, SYSTEM/ENV or SYSTEM/ENV/NAME: all its backups, or one'))
    // Not required by Commander, which would ask the verbs below for it too.
    .option('--operator <who>', 'who asks for it; recorded')
    .option('--note <text>', 'for the record')
    .option('--wait', 'show progress until all are made')
    .action(
      action(async (context, ref: string | undefined, options: BackupOptions) =>
        (await import('./backup.js')).backup(context, ref, options),
      ),
    );
  backup
    .command('list')
    .description(
      'every backed-up secret: its newest backup, how old it is, whether it can be relied on; run it where they lie',
    )
    .addArgument(new Argument('[ref]', 'SYSTEM, SYSTEM/ENV or SYSTEM/ENV/NAME'))
    .option('--exit-code', 'exit 1 unless each can be relied on, and every critical secret has one')
    .action(
      action(async (context, ref: string | undefined, options: BackupListOptions) =>
        (await import('./backup-list.js')).backupList(context, ref, options),
      ),
    );
  backup
    .command('restore')
    .description(
      'open an archive, or the texts of its scanned codes; shows what it holds, and no value that is not asked for',
    )
    .addArgument(new Argument('<file...>', 'the archive, or one file a scanned code'))
    .option('--identity-file <file>', 'the age identity, as age-keygen writes it; - is standard input')
    .option('--passphrase-file <file>', 'the passphrase of a gpg archive; - is standard input')
    .option('--reveal <name>', 'write this value, exactly, to standard output; NAME@pending for a staged one')
    .action(
      action(async (context, files: string[], options: RestoreOptions) =>
        (await import('./backup-restore.js')).backupRestore(context, files, options),
      ),
    );

  program
    .command('inventory')
    .description('all secrets: kind, place, cadence, last and next date')
    .action(action(async (context) => (await import('./inventory.js')).inventory(context)));

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
        (await import('./log.js')).log(context, ref, options),
      ),
    );

  program
    .command('schema')
    .description('the JSON Schema of an inventory file, for editors')
    .action(action(async (context) => (await import('./schema.js')).schema(context)));

  return program;
}

function refArgument(): Argument {
  return new Argument('<ref>', REF_HELP);
}

function operatorOption(): Option {
  return new Option('--operator <who>', 'who asks for it').default(currentUser(), 'the signed-in user');
}

function reasonOption(): Option {
  return new Option('--reason <why>', 'why').choices(REASONS).default('routine');
}

function currentUser(): string {
  const named = process.env['USER'] ?? process.env['LOGNAME'];
  if (named) return named;
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no entry in /etc/passwd.
    return 'unknown';
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

function version(): string {
  const url = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
}

/** Commander says `error: unknown option '--x'\n(Did you mean --y?)`; a person reads error and hint. */
function asUsageError(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const hint = suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?') ?? 'see keyturn --help';
  return new KeyturnError('bad-usage', message, { hint });
}
