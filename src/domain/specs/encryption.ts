/**
 * What an inventory says about an encryption key: which columns it protects, how a value is laid out in them, and how the rows get
 * from one key to the next (documents 000, 001 and 004).
 */
import { z } from 'zod';
import { keyForm, valueFormat } from './ciphertext.js';
import { duration, text } from './common.js';

const table = z
  .string()
  .regex(/^[^".\s][^".]*(?:\.[^".\s][^".]*)?$/, 'must be a table or schema.table, as the catalogue spells it')
  .describe('The table, as the catalogue spells it, without quotes: notes or app.notes. Without a schema: in public');

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Columns with the value, or the values, that they have in the rows that are meant; all must hold. No SQL: it is data to the server. */
export const rowFilter = z
  .record(text, z.union([scalar, z.array(scalar).min(1)]))
  .refine((filter) => Object.keys(filter).length > 0, 'must name a column: { encrypted: true }');
export type RowFilter = z.infer<typeof rowFilter>;

/** Where copies stand that nobody needs to read once the key is gone. */
export const disposablePlace = z.strictObject({
  table,
  column: text.describe('The column, as the catalogue spells it'),
});
export type DisposablePlace = z.infer<typeof disposablePlace>;

/** How long the key is tried on whatever else the database holds. */
export const search = z.strictObject({
  beforehand: duration.default('1m').describe('How long at most before anything begins, and for keyturn plan'),
  atTheEnd: duration.default('1h').describe('How long at most before a key is destroyed'),
});
export type SearchSpec = z.infer<typeof search>;

export const protectedColumn = z.strictObject({
  table,
  column: text.describe('The column, as the catalogue spells it: text, bytea or jsonb'),
  path: z
    .array(text)
    .min(1)
    .optional()
    .describe('In a jsonb column: the keys that lead to the value, which is a string: [smtp, password]'),
  format: valueFormat.optional().describe("How a value is laid out here. Default: the secret's format"),
  where: rowFilter
    .optional()
    .describe(
      'Where plain values stand beside encrypted ones: columns and what they hold in the encrypted rows, a value or a list of those that will do: { encrypted: true, version: [v2, v3], deleted: null }. It is data, no SQL',
    ),
});
export type ProtectedColumn = z.infer<typeof protectedColumn>;

/** How the application takes two keys: values under either are read, new ones are written under the first. */
export const bothKeys = z.discriminatedUnion('style', [
  z
    .strictObject({
      style: z.literal('list').describe('Both in one variable; the first encrypts'),
      separator: z.string().min(1).max(3).default(',').describe('What stands between the two'),
    })
    .describe('One variable with both keys: the first encrypts, both decrypt.'),
  z
    .strictObject({
      style: z.literal('previous').describe('The other one in a second variable'),
      variable: text.describe('The second variable, or file of a docker-secrets store: ENCRYPTION_KEY_PREVIOUS'),
    })
    .describe('A second variable with the other key, which decrypts only.'),
]);
export type BothKeys = z.infer<typeof bothKeys>;

/**
 * `atomic` (document 004): services stopped, all rows in one transaction. `online`: the application has both keys while batches are
 * committed one by one.
 */
export const ENCRYPTION_MODES = ['atomic', 'online'] as const;
export type EncryptionMode = (typeof ENCRYPTION_MODES)[number];

export const throttle = z.strictObject({
  maxLag: duration.default('10s').describe('No rows are written while a replica replays later than this'),
  maxActive: z
    .int()
    .min(1)
    .default(64)
    .describe("Nor while more sessions than this are at work in the database, Keyturn's own not counted"),
  rest: z
    .number()
    .min(0)
    .max(0.95)
    .default(0)
    .describe('Share of the time that is spent resting: 0 goes as fast as it can, 0.5 writes half of the time'),
});
export type Throttle = z.infer<typeof throttle>;

/**
 * What becomes of rows that no key reads. Either way a table beside theirs takes them during the run. `quarantine`: it stays.
 * `truncate` (document 004's way): it is destroyed at the end, and they are gone for good.
 */
export const UNREADABLE_ROWS = ['quarantine', 'truncate'] as const;
export type UnreadableRows = (typeof UNREADABLE_ROWS)[number];

/** What `recoverLostKey` does (document 004, "Recovery procedure"). */
export const recovery = z.strictObject({
  unreadable: z
    .enum(UNREADABLE_ROWS)
    .default('quarantine')
    .describe(
      'Rows that no key reads are moved to a table beside theirs: quarantine keeps it, truncate destroys it once they are entered again',
    ),
  label: z.array(text).default([]).describe('Columns that tell people which row it is: [platform, name]'),
  enable: z
    .array(text)
    .default([])
    .describe('Checks whose request or command switches features on again, each idempotent'),
  watchEvery: duration.default('30s').describe('How often it is looked which rows have been entered again'),
  folders: z
    .array(text)
    .default([])
    .describe(
      'Directories of the worker in which archives that people offer, and what opens them, may lie, besides those of the backups: [/mnt/restore]',
    ),
});
export type RecoverySpec = z.infer<typeof recovery>;

const fields = {
  database: text.describe('Name of the database in the environment: with its administrator and nodes'),
  name: text.describe("The application's database on that server; default: the one in the administrator's URL"),
  mode: z
    .enum(ENCRYPTION_MODES)
    .describe(
      'atomic: services stand still while all rows are re-encrypted in one transaction; online: services have both keys meanwhile, and batches are committed one by one. Default: atomic',
    ),
  key: keyForm.describe(
    'How the application gets its key from the stored text: fernet; raw, whose UTF-8 bytes are the key; an encoding of the 32 bytes (hex, base64, base64url); or derived',
  ),
  format: valueFormat.describe('How a value is laid out, where a column does not say otherwise'),
  columns: z.array(protectedColumn).min(1).describe('Which columns hold values under the key'),
  bothKeys: bothKeys.describe('Mode online: how the application takes two keys'),
  throttle: throttle.describe('Mode online: when to hold back'),
  disposable: z
    .array(disposablePlace)
    .describe('Undeclared columns with values under the key that nobody needs any more: they become unreadable'),
  search: search.describe('How long the key is tried on every other column of the database'),
  recovery: recovery.describe('When the key is lost: how its rows are told apart, and what is switched on again'),
  parallel: z
    .int()
    .min(1)
    .max(32)
    .describe('Mode online: how many activities share a large table by ranges of its key. Default: 1'),
};

/** All optional: an environment may say some of it; what nobody says has a default (ENCRYPTION_DEFAULTS) or is asked for. */
export const encryptionSpec = z.strictObject(fields).partial();
export type EncryptionSpec = z.infer<typeof encryptionSpec>;

export const ENCRYPTION_DEFAULTS = { mode: 'atomic', parallel: 1 } as const;
