/**
 * Where an example system keeps its backups: a directory for each critical secret, in the place of a medium, and two age identities
 * made for this run, so that no private key need stand in the clone.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SecretValue } from '../../domain/secret-value.js';
import type { Blueprint } from './blueprints.js';

export interface BackupPlaces {
  /** With it the worker proves that an archive can be restored. */
  readonly identityFile: string;
  /** The other one that every archive can be opened with; nothing here ever reads it. */
  readonly safeIdentityFile: string;
  /** What the inventory reads. */
  readonly variables: Readonly<Record<string, string>>;
}

/** @param home of the system; the directories lie beside its stores, never in them. @returns undefined where nothing is backed up. */
export async function makeBackupPlaces(home: string, { prefix, media }: Blueprint): Promise<BackupPlaces | undefined> {
  if (!media) return undefined;
  const variables: Record<string, string> = {};
  for (const name of media) {
    const directory = join(home, 'media', name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    variables[`${prefix}_${name.toUpperCase().replaceAll('-', '_')}_BACKUPS`] = directory;
  }
  const [identityFile, safeIdentityFile] = [join(home, 'backup-identity.txt'), join(home, 'safe', 'identity.txt')];
  await mkdir(join(home, 'safe'), { mode: 0o700 });
  variables[`${prefix}_BACKUP_IDENTITY_FILE`] = identityFile;
  variables[`${prefix}_BACKUP_RECIPIENT`] = await makeIdentity(identityFile, 'of the worker');
  variables[`${prefix}_SAFE_RECIPIENT`] = await makeIdentity(safeIdentityFile, 'to be kept in a safe');
  return { identityFile, safeIdentityFile, variables };
}

/** A file as age-keygen writes it. @returns the recipient. */
async function makeIdentity(file: string, whose: string): Promise<string> {
  // Loaded by who needs it: its post-quantum parts take 150 ms.
  const { generateIdentity, identityToRecipient } = await import('age-encryption');
  const identity = new SecretValue(await generateIdentity());
  const recipient = await identityToRecipient(identity.reveal());
  await writeFile(file, `# made for this run, ${whose}\n# public key: ${recipient}\n${identity.reveal()}\n`, {
    mode: 0o600,
  });
  return recipient;
}
