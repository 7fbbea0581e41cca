/**
 * What an inventory says about backups of secrets (document 004, "Backup Procedure"): which ones lie together, where, encrypted how,
 * and what a restore is proven with.
 */
import { z } from 'zod';
import { credentialRef, duration, name, text } from './common.js';

/** Bech32: `age1…`, and its post-quantum and hardware-tag forms. A plugin's recipient (`age1yubikey1…`) needs the plugin. */
export const RECIPIENT = /^age1(?:pq1|tag1|tagpq1)?[02-9ac-hj-np-z]{58,}$/;
/** A recipient, or one setting: what a worker fills in is looked at when a plan is made. */
const RECIPIENT_OR_SETTING = new RegExp(`${RECIPIENT.source}|^\\$\\{[^}]+\\}$`);
const recipient = z
  .string()
  .regex(RECIPIENT_OR_SETTING, 'is no age recipient: age1… as age-keygen prints it (the public key)')
  .describe('An age recipient, age1…, or a setting that holds one');

export const QR_FORMATS = ['svg', 'png'] as const;
export type QrFormat = (typeof QR_FORMATS)[number];

const common = {
  secrets: z
    .union([name, z.array(name).min(1)])
    .describe('The secret, or a list of those that lie in one archive; at most one of them critical'),
  to: z
    .strictObject({
      /** One made in the place of a stick that is not mounted would hide the mistake. */
      directory: text.describe(
        'The directory, relative to the inventory file; it must exist. At most one critical secret a directory: /mnt/key-backup',
      ),
    })
    .describe('Where archives are written'),
  /** Documents 003 and 004 rotate at the latest every 90 days; a backup older than that is none. */
  maxAge: duration.default('90d').describe('A rotation of a critical secret demands a proven backup younger than this'),
  qr: z.enum(QR_FORMATS).optional().describe('Also a picture of the encrypted archive, to be printed'),
};

export const backupSpec = z.discriminatedUnion('format', [
  z
    .strictObject({
      format: z.literal('age').describe('age, to public keys'),
      ...common,
      recipients: z
        .array(recipient)
        .min(1)
        .describe(
          'Public keys, age1… as age-keygen prints them, or settings that hold one; each of them alone can restore',
        ),
      proof: z
        .strictObject({
          identity: credentialRef.describe(
            'An age identity, in a variable or file of the worker: { file: /etc/keyturn/backup-identity.txt }',
          ),
        })
        .describe('What each restore is proven with; it must belong to one of the recipients'),
    })
    .describe('An archive that age can open, encrypted to public keys.'),
  z
    .strictObject({
      format: z.literal('gpg').describe('gpg, with a passphrase'),
      ...common,
      passphrase: credentialRef.describe(
        'The passphrase, in a variable or file of the worker. It encrypts the archive, and a restore is proven with it',
      ),
    })
    .describe('An archive that gpg can open, encrypted with a passphrase.'),
]);
export type BackupSpec = z.infer<typeof backupSpec>;
