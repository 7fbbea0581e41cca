/** Archives of secrets. */
import { Argument, type Command } from 'commander';
import type { BackupListOptions } from '../backup-list.js';
import type { RestoreOptions } from '../backup-restore.js';
import type { BackupOptions } from '../backup.js';
import type { Action } from './action.js';

export function addBackupVerbs(program: Command, action: Action): void {
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
        (await import('../backup.js')).backup(context, ref, options),
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
        (await import('../backup-list.js')).backupList(context, ref, options),
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
        (await import('../backup-restore.js')).backupRestore(context, files, options),
      ),
    );
}
