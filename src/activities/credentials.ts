/** What Keyturn itself signs in with: a variable of the worker or a file beside it. Never in the inventory, a plan or the ledger. */
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import type { CredentialRef } from '../domain/specs/common.js';
import { LARGEST_KEY, readRegular } from '../processes/read-regular.js';

export type CredentialResolver = (ref: CredentialRef) => Promise<SecretValue>;

/** @throws KeyturnError `credential-missing` naming the variable or the file. */
export function credentialResolver(variables: Readonly<Record<string, string | undefined>>): CredentialResolver {
  return async (ref) => {
    const text = 'env' in ref ? variables[ref.env] : await readTrimmed(ref.file);
    if (text === undefined || text === '') {
      throw new KeyturnError(
        'credential-missing',
        `the worker has no ${'env' in ref ? `variable ${ref.env}` : `file ${ref.file}`}`,
        {
          hint: 'env' in ref ? `set ${ref.env} where this worker runs` : 'create it, readable by the worker only',
        },
      );
    }
    rememberPassword(text);
    return new SecretValue(text);
  };
}

/** A driver may print the password of a URL without the rest of it. */
function rememberPassword(text: string): void {
  const password = URL.canParse(text) ? new URL(text).password : '';
  if (password !== '') new SecretValue(decoded(password));
}

/** A bare `%` is left as it is: connection.ts says what is wrong with such a URL. */
function decoded(password: string): string {
  try {
    return decodeURIComponent(password);
  } catch {
    return password;
  }
}

async function readTrimmed(file: string): Promise<string | undefined> {
  try {
    // One newline at the end is the editor's, not the secret's.
    return (await readRegular(file, LARGEST_KEY)).toString('utf8').replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof KeyturnError)
      throw new KeyturnError('credential-missing', error.message, { hint: error.hint ?? '' });
    return undefined;
  }
}
