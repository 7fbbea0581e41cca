/**
 * What an inventory says about an encryption key: which columns it protects, how a value is laid out in them, and how the rows get
 * from one key to the next (documents 000, 001 and 004).
 */
import { z } from 'zod';
import { duration, text } from './common.js';

const ENCODINGS = ['hex', 'base64', 'base64url'] as const;

/** Bytes that an inventory may show, such as a salt that stands in the application's source. */
const publicBytes = z.union([text, z.strictObject({ hex: z.string().regex(/^(?:[0-9a-f]{2})+$/i) })]);
export type PublicBytes = z.infer<typeof publicBytes>;

/** What the stored text is read as before it goes into a derivation; `text`: its UTF-8 bytes. */
const of = z.enum(['text', ...ENCODINGS]).default('text');

/**
 * How the application gets its key from the stored text. `fernet`: 32 bytes as URL-safe base64, 16 to sign and 16 to encrypt.
 * `raw`: the UTF-8 bytes of the text themselves are the key.
 */
export const keyForm = z.union([
  z.enum(['fernet', 'raw', ...ENCODINGS]),
  z.discriminatedUnion('derive', [
    z.strictObject({ derive: z.literal('sha256'), of }),
    z.strictObject({
      derive: z.literal('scrypt'),
      of,
      salt: publicBytes,
      /** Node's names and defaults: N, r, p. */
      cost: z.int().min(2).default(16_384),
      blockSize: z.int().min(1).default(8),
      parallelization: z.int().min(1).default(1),
    }),
    z.strictObject({
      derive: z.literal('hkdf'),
      of,
      digest: z.enum(['sha256', 'sha384', 'sha512']).default('sha256'),
      salt: z.union([publicBytes, z.literal('')]).default(''),
      info: z.union([publicBytes, z.literal('')]).default(''),
    }),
  ]),
]);
export type KeyForm = z.infer<typeof keyForm>;

const GCM_PARTS = ['iv', 'tag', 'ciphertext'] as const;

/** The Fernet specification, version 0x80: URL-safe base64 with padding, as text or as bytes of that text. */
export const fernetFormat = z.strictObject({ cipher: z.literal('fernet') });

export const gcmFormat = z.strictObject({
  cipher: z.literal('aes-256-gcm'),
  /** In which order the three stand. */
  layout: z
    .array(z.enum(GCM_PARTS))
    .length(3)
    .refine((parts) => new Set(parts).size === 3, 'must name iv, tag and ciphertext, each once')
    .default(['iv', 'tag', 'ciphertext']),
  /** `binary`: the bytes themselves, in a bytea column. */
  encoding: z.enum([...ENCODINGS, 'binary']).default('hex'),
  /** Each part encoded for itself, joined by this; left out: packed, the bytes one after the other and encoded as a whole. */
  separator: z.string().min(1).max(3).optional(),
  /** Before everything else: `v1:`, or with `${key.id}` the first 8 hex digits of the key's SHA-256. */
  prefix: z.string().max(64).default(''),
  /** Bytes. 12 as NIST SP 800-38D recommends; some applications use 16. */
  ivLength: z.union([z.literal(12), z.literal(16)]).default(12),
  /** What else is authenticated: text with columns of the row, such as `app_integrations:${row.id}`. */
  associatedData: text.optional(),
});
export type GcmFormat = z.infer<typeof gcmFormat>;

export const valueFormat = z.discriminatedUnion('cipher', [fernetFormat, gcmFormat]);
export type ValueFormat = z.infer<typeof valueFormat>;

/** `schema.table`, or a table that the administrator's search path finds. Case counts; no quotes. */
const table = z
  .string()
  .regex(/^[^".\s][^".]*(?:\.[^".\s][^".]*)?$/, 'must be a table or schema.table, as the catalogue spells it');

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Columns with the value, or the values, that they have in the rows that are meant; all must hold. No SQL: it is data to the server. */
export const rowFilter = z
  .record(text, z.union([scalar, z.array(scalar).min(1)]))
  .refine((filter) => Object.keys(filter).length > 0, 'must name a column: { encrypted: true }');
export type RowFilter = z.infer<typeof rowFilter>;

/** Where copies stand that nobody needs to read once the key is gone. */
export const disposablePlace = z.strictObject({ table, column: text });
export type DisposablePlace = z.infer<typeof disposablePlace>;

/** How long the key is tried on whatever else the database holds. */
export const search = z.strictObject({
  beforehand: duration.default('1m').describe('Before anything begins, and for keyturn plan'),
  atTheEnd: duration.default('1h').describe('Before a key is destroyed'),
});
export type SearchSpec = z.infer<typeof search>;

export const protectedColumn = z.strictObject({
  table,
  column: text,
  /** Into a JSON document: keys, one after the other. The value there is a string. */
  path: z.array(text).min(1).optional().describe('In a jsonb column: the keys that lead to the value'),
  format: valueFormat.optional().describe("Default: the secret's format"),
  where: rowFilter
    .optional()
    .describe('Where plain values stand beside encrypted ones: columns and what they hold in the encrypted rows'),
});
export type ProtectedColumn = z.infer<typeof protectedColumn>;

/** How the application takes two keys: values under either are read, new ones are written under the first. */
export const bothKeys = z.discriminatedUnion('style', [
  z.strictObject({ style: z.literal('list'), separator: z.string().min(1).max(3).default(',') }),
  z.strictObject({ style: z.literal('previous'), variable: text }),
]);
export type BothKeys = z.infer<typeof bothKeys>;

/**
 * `atomic` (document 004): services stopped, all rows in one transaction. `online`: the application has both keys while batches are
 * committed one by one.
 */
export const ENCRYPTION_MODES = ['atomic', 'online'] as const;
export type EncryptionMode = (typeof ENCRYPTION_MODES)[number];

export const throttle = z.strictObject({
  /** No page is written while a replica replays later than this. */
  maxLag: duration.default('10s'),
  /** Nor while more sessions than this are at work in the database, ours not counted. */
  maxActive: z.int().min(1).default(64),
  /** Share of the time that is spent resting: 0 goes as fast as it can, 0.5 writes half of the time. */
  rest: z.number().min(0).max(0.95).default(0),
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
  label: z.array(text).default([]).describe('Columns that tell people which row it is, such as platform and name'),
  enable: z
    .array(text)
    .default([])
    .describe('Checks whose request or command switches features on again, each idempotent'),
  watchEvery: duration.default('30s').describe('How often it is looked which rows have been entered again'),
  folders: z
    .array(text)
    .default([])
    .describe(
      'Directories of the worker in which archives that people offer, and what opens them, may lie, besides those of the backups',
    ),
});
export type RecoverySpec = z.infer<typeof recovery>;

const fields = {
  database: text.describe('Name of the database in the environment: with its administrator and nodes'),
  name: text.describe("The application's database on that server; default: the one in the administrator's URL"),
  mode: z.enum(ENCRYPTION_MODES),
  key: keyForm.describe('How the application gets its key from the stored text'),
  format: valueFormat.describe('How a value is laid out, where a column does not say otherwise'),
  columns: z.array(protectedColumn).min(1),
  bothKeys: bothKeys.describe('Mode online: how the application takes two keys'),
  throttle: throttle.describe('Mode online: when to hold back'),
  disposable: z
    .array(disposablePlace)
    .describe('Undeclared columns with values under the key that nobody needs any more: they become unreadable'),
  search: search.describe('How long the key is tried on every other column of the database'),
  recovery: recovery.describe('When the key is lost: how its rows are told apart, and what is switched on again'),
  /** Activities that share a large table by ranges of its key. */
  parallel: z.int().min(1).max(32),
};

/** All optional: an environment may say some of it; what nobody says has a default (ENCRYPTION_DEFAULTS) or is asked for. */
export const encryptionSpec = z.strictObject(fields).partial();
export type EncryptionSpec = z.infer<typeof encryptionSpec>;

export const ENCRYPTION_DEFAULTS = { mode: 'atomic', parallel: 1 } as const;
