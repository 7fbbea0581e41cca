/** The age recipients of a backup: written in the inventory, or filled in from a setting of the worker. */
import { bech32 } from '@scure/base';
import { KeyturnError } from '../domain/errors.js';
import { RECIPIENT } from '../domain/specs/backup.js';
import { placeholdersOf, type SettingValues } from './settings.js';

const COPY = 'copy it from age-keygen -y';

/** @returns what is wrong with it; null: nothing, or a setting is still to be filled in. One letter wrong, and nobody could open it. */
export function recipientProblem(recipient: string): { message: string; hint: string } | null {
  if (placeholdersOf(recipient).length > 0) return null;
  // No limit of 90 characters: post-quantum recipients have two thousand.
  if (bech32.decodeUnsafe(recipient, false) !== undefined) return null;
  return { message: 'has a wrong checksum: a letter of it is wrong', hint: COPY };
}

/** @throws KeyturnError `setting-missing`; `bad-inventory` for a setting that is no recipient, and for one recipient twice. */
export function fillRecipients(recipients: readonly string[], settings: SettingValues): string[] {
  const filled = recipients.map((written) => {
    const recipient = settings.fill(written).trim();
    const problem = RECIPIENT.test(recipient) ? recipientProblem(recipient) : { message: 'is no age recipient' };
    if (!problem) return recipient;
    throw new KeyturnError('bad-inventory', `the recipient ${written} ${problem.message}`, {
      hint: `age1… as age-keygen prints it (the public key): ${COPY}`,
    });
  });
  const twice = filled.findIndex((recipient, index) => filled.indexOf(recipient) !== index);
  if (twice === -1) return filled;
  throw new KeyturnError('bad-inventory', `the recipient ${recipients[twice] ?? ''} is named twice`, {
    hint: 'two recipients are two people or places: either can restore when the other is lost',
  });
}
