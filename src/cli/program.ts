/**
 * The command `keyturn`. Verbs, with their names, arguments and help, are in verbs/; what a verb does is in the file of its name here,
 * imported only when it runs.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { asTyped } from '../domain/as-typed.js';
import { KeyturnError } from '../domain/errors.js';
import { createContext, type Context, type GlobalOptions } from './context.js';
import { EXIT, EXIT_CODE_HELP, type ExitCode } from './exit-codes.js';
import { reportFailure } from './failure.js';
import { invocation } from './invocation.js';
import type { Action } from './verbs/action.js';
import { addBackupVerbs } from './verbs/backups.js';
import { addDecidingVerbs } from './verbs/deciding.js';
import { addLookingVerbs } from './verbs/looking.js';
import { addServingVerbs } from './verbs/serving.js';
import { addRunVerbs } from './verbs/starting-runs.js';

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
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => void process.stdout.write(asTyped(text, invocation())),
      writeErr: (text) => void process.stderr.write(asTyped(text, invocation())),
    })
    .exitOverride()
    .addHelpText('after', `\n${EXIT_CODE_HELP}`);

  const action: Action =
    <Args extends unknown[]>(verb: (context: Context, ...args: Args) => Promise<ExitCode>) =>
    async (...args) => {
      // Commander appends the command itself.
      const own = args.slice(0, -1) as Args;
      finish(await verb(createContext(program.opts<GlobalOptions>()), ...own));
    };

  addServingVerbs(program, action);
  addRunVerbs(program, action);
  addDecidingVerbs(program, action);
  addBackupVerbs(program, action);
  addLookingVerbs(program, action);
  return program;
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
