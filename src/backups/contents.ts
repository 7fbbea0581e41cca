/** What an archive says once it is open: JSON that people can read too, should nothing but `age` or `gpg` be at hand. */
import { z } from 'zod';
import type { BackupEntry } from '../domain/backup.js';
import { KeyturnError } from '../domain/errors.js';
import { SecretValue } from '../domain/secret-value.js';
import { SECRET_KINDS } from '../domain/specs/secret.js';

export interface ArchivedValue extends BackupEntry {
  /** ISO 8601: when it was read from its store. */
  readonly createdAt: string;
  readonly value: SecretValue;
}

export interface Contents {
  /** `SYSTEM/ENV/NAME`. */
  readonly backup: string;
  readonly createdAt: string;
  readonly values: readonly ArchivedValue[];
}

const FORMAT = 1;

/** Not strict: a later version may say more. */
const schema = z.object({
  keyturn: z.literal('backup'),
  format: z.int(),
  backup: z.string(),
  createdAt: z.string(),
  secrets: z.array(
    z.object({
      ref: z.string(),
      version: z.enum(['current', 'pending', 'previous']),
      kind: z.enum(SECRET_KINDS),
      fingerprint: z.string(),
      createdAt: z.string(),
      value: z.string(),
    }),
  ),
});

/** The caller overwrites it after use: it is the one copy of the values outside of a SecretValue. */
export function encodeContents({ backup, createdAt, values }: Contents): Buffer {
  const secrets = values.map((one) => ({
    ref: one.ref,
    version: one.version,
    kind: one.kind,
    fingerprint: one.fingerprint,
    createdAt: one.createdAt,
    value: one.value.reveal(),
  }));
  const document = { keyturn: 'backup', format: FORMAT, backup, createdAt, secrets };
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`, 'utf8');
}

/** @throws KeyturnError `archive-malformed`: it was decrypted, and is not what Keyturn writes. */
export function decodeContents(bytes: Buffer): Contents {
  const found = schema.safeParse(parse(bytes));
  if (!found.success) throw malformed('what was decrypted is no backup of Keyturn');
  const { format, backup, createdAt, secrets } = found.data;
  if (format !== FORMAT) throw malformed(`the archive has format ${format}, this Keyturn reads format ${FORMAT}`);
  return { backup, createdAt, values: secrets.map((one) => ({ ...one, value: new SecretValue(one.value) })) };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function malformed(message: string): KeyturnError {
  return new KeyturnError('archive-malformed', message);
}
