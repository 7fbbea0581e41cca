/** Files and people who edit them: what is said when one changed at the wrong moment, and the last look before it is replaced. */
import { readFile } from 'node:fs/promises';
import { KeyturnError } from '../../domain/errors.js';
import type { SecretSlot } from '../../domain/slot.js';
import { errorCode, fileError } from '../files/file-errors.js';
import type { SeenFile } from './medium.js';

/** What a person may have changed, by name. */
export function namesOf({ key, exposure }: SecretSlot): string {
  return exposure.style === 'pair' ? `${key} or ${exposure.variable}` : key;
}

/** A file was replaced, whatever went wrong afterwards (a person's edit right then, say): an undo has something to put back. */
export function afterTheChange({ code, message, hint, retryable, cause }: KeyturnError): KeyturnError {
  return new KeyturnError(code, message, {
    effect: 'applied',
    retryable,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The last look before a rename: an editor that saved since the files were read must not lose its work. */
export async function assertUnchanged(files: readonly SeenFile[]): Promise<void> {
  for (const { path, bytes } of files) {
    const now = await readFile(path).catch((error: unknown) => {
      if (bytes === null && errorCode(error) === 'ENOENT') return null;
      throw fileError(error, `read ${path}`);
    });
    if (now === null || bytes === null ? now === bytes : now.equals(bytes)) continue;
    throw new KeyturnError('changed-meanwhile', `${path} keeps being changed by someone else`, {
      retryable: true,
      hint: 'nothing was overwritten: run again when the file is at rest',
    });
  }
}
