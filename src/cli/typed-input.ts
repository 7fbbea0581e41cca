/** What a run would refuse, said of what was typed: the option or argument, what it must be, and a line that is right. */
import { KeyturnError } from '../domain/errors.js';
import { BadInput } from '../domain/messages.js';

/** Of the verbs' fields; what is none of them comes from the reference. */
const OPTIONS: Readonly<Record<string, string>> = {
  operator: '--operator',
  by: '--as',
  note: '--note',
  reason: '--reason',
  gate: '--gate',
  plan: '--plan',
  for: 'how much longer',
  backups: '--from',
  identity: '--identity-file',
  passphrase: '--passphrase-file',
};

/** @param sample what is typed behind `keyturn`. @throws KeyturnError `bad-input`. */
export function typedInput<T>(parse: () => T, sample: string): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    const words = error.problems.map(({ field, message }) =>
      field === null ? message : `${OPTIONS[field.split('.')[0] ?? ''] ?? `the reference's ${field}`}: ${message}`,
    );
    throw new KeyturnError('bad-input', words.join('; '), { hint: `type it as in: keyturn ${sample}` });
  }
}
