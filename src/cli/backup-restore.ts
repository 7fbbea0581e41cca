/**
 * `keyturn backup restore`: opens an archive for people. It needs no inventory, no Temporal, no ledger: in the worst hour there may be
 * none. It shows what the archive holds; a value only when that one is asked for by name, as its exact bytes on standard output.
 */
import { text } from 'node:stream/consumers';
import { readArchive, restore, type ArchivedValue, type OfferedKeys } from '../backups/restore.js';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import { shortFingerprint } from '../domain/slot.js';
import { suggest } from '../inventory/suggest.js';
import { LARGEST_KEY, readRegular } from '../processes/read-regular.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { invocation, quoteArgument } from './invocation.js';
import { table } from './table.js';

export interface RestoreOptions {
  readonly identityFile?: string;
  readonly passphraseFile?: string;
  /** `SECRET`, `SYSTEM/ENV/SECRET`, either with `@pending`. */
  readonly reveal?: string;
}

/** @param files the archive; or the texts of its scanned codes, in any order. */
export async function backupRestore(
  context: Context,
  files: readonly string[],
  options: RestoreOptions,
): Promise<ExitCode> {
  const { console } = context;
  if (options.reveal !== undefined && console.json) {
    throw new KeyturnError('bad-usage', '--reveal writes the bytes of one value, not a document', {
      hint: 'leave out --json',
    });
  }
  const archive = await readArchive(files);
  const { backup, createdAt, values } = await restore(archive, await offered(options), new AbortController().signal);
  if (options.reveal !== undefined) {
    const { ref, version, value } = chosen(values, options.reveal);
    await write(value);
    // A shell's prompt would stand behind the value, and a copied line end is no part of it.
    if (process.stdout.isTTY)
      console.note(`\nnote: ${ref} (${version}), without a line end; clear this terminal afterwards`);
    return EXIT.done;
  }
  const held = values.map(({ value, ...rest }) => ({ ...rest, length: value.length }));
  console.document({ backup, createdAt, secrets: held });
  if (console.json) return EXIT.done;
  console.say(`${backup}, made ${createdAt}`);
  const rows = held.map((one) => [
    one.ref,
    one.version,
    one.kind,
    shortFingerprint(one.fingerprint),
    `${one.length} characters`,
  ]);
  console.say(table(['Secret', 'Version', 'Kind', 'Fingerprint', 'Value'], rows, console.paint));
  const [first] = held;
  const given = [...process.argv.slice(2)].map(quoteArgument).join(' ');
  if (first) console.note(`to get one: ${invocation()} ${given} --reveal ${first.ref} > FILE`);
  return EXIT.done;
}

async function offered({ identityFile, passphraseFile }: RestoreOptions): Promise<OfferedKeys> {
  if (identityFile === '-' && passphraseFile === '-') {
    throw new KeyturnError('bad-usage', 'standard input can be one of the two', {
      hint: 'give the other one as a file',
    });
  }
  return {
    ...(identityFile === undefined ? {} : { identity: await readKey(identityFile) }),
    ...(passphraseFile === undefined ? {} : { passphrase: await readKey(passphraseFile) }),
  };
}

/** One line end at the end of a file is the editor's. @throws KeyturnError `key-missing`. */
async function readKey(file: string): Promise<SecretValue> {
  try {
    return new SecretValue(
      (file === '-' ? await text(process.stdin) : (await readRegular(file, LARGEST_KEY)).toString('utf8')).replace(
        /\r?\n$/,
        '',
      ),
    );
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new KeyturnError('key-missing', `${file} cannot be read: ${code}`, {
      hint: 'name a file, or - for standard input',
    });
  }
}

/** @throws KeyturnError `not-found`, `bad-usage` for a name that several have. */
function chosen(values: readonly ArchivedValue[], wanted: string): ArchivedValue {
  const [name = '', version = 'current'] = wanted.split('@');
  const named = values.filter(({ ref }) => ref === name || ref.split('/').at(-1) === name);
  if (named.length === 0) {
    const hint = suggest(name, new Set(values.map(({ ref }) => ref)), 'it holds');
    throw new KeyturnError('not-found', `the archive holds no "${name}"`, { hint });
  }
  const found = named.filter((one) => one.version === version);
  const [only] = found;
  if (only && found.length === 1) return only;
  if (found.length > 1) {
    const refs = found.map(({ ref }) => ref).join(', ');
    throw new KeyturnError('bad-usage', `the archive holds several "${name}"`, { hint: `name one of ${refs}` });
  }
  const versions = named.map((one) => `${one.ref}@${one.version}`).join(', ');
  throw new KeyturnError('not-found', `the archive holds no ${version} value of "${name}"`, {
    hint: `it holds ${versions}`,
  });
}

/** Exactly the value: nothing before, nothing after. Settles once it is out, so that the process does not end before. */
function write(value: SecretValue): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(Buffer.from(value.reveal(), 'utf8'), (error) => (error ? reject(error) : resolve()));
  });
}
