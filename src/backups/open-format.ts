/** From how an archive is encrypted to what encrypts it, and from an archive to what may open it. */
import type { BackupEncryption } from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { CredentialRef } from '../domain/specs/common.js';
import { AgeFormat, isAge, parseIdentities } from './age.js';
import type { ArchiveFormat } from './archive-format.js';
import { GpgFormat, isGpg } from './gpg.js';

/** @throws KeyturnError `key-malformed`, and what `resolve` throws. */
export async function openFormat(
  encryption: BackupEncryption,
  resolve: (ref: CredentialRef) => Promise<SecretValue>,
): Promise<ArchiveFormat> {
  return encryption.format === 'age'
    ? new AgeFormat(encryption.recipients, parseIdentities(await resolve(encryption.identity)))
    : new GpgFormat(await resolve(encryption.passphrase));
}

/** What people offer to open archives with: any of them may fit. */
export interface OfferedKeys {
  /** The content of an identity file, as age-keygen writes it. */
  readonly identity?: SecretValue;
  readonly passphrase?: SecretValue;
}

/** By what the archive begins with. @throws KeyturnError `archive-malformed`, `key-missing`, `key-malformed`. */
export function formatOf(archive: Uint8Array, { identity, passphrase }: OfferedKeys): ArchiveFormat {
  if (isAge(archive)) {
    if (identity) return new AgeFormat([], parseIdentities(identity));
    throw keyMissing('an age archive', 'an identity');
  }
  if (isGpg(archive)) {
    if (passphrase) return new GpgFormat(passphrase);
    throw keyMissing('a gpg archive', 'the passphrase');
  }
  throw new KeyturnError('archive-malformed', 'this is neither an age nor a gpg archive');
}

function keyMissing(what: string, key: string): KeyturnError {
  return new KeyturnError('key-missing', `this is ${what}: it takes ${key} to open it`, { hint: `offer ${key}` });
}
