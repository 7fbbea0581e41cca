/** What an inventory says about a key's own form and about how a value is laid out under it. */
import { z } from 'zod';
import { text } from './common.js';

const ENCODINGS = ['hex', 'base64', 'base64url'] as const;

/** Bytes that an inventory may show, such as a salt that stands in the application's source. */
const publicBytes = z.union([
  text,
  z.strictObject({
    hex: z
      .string()
      .regex(/^(?:[0-9a-f]{2})+$/i)
      .describe('Bytes as hex digits: 00ff'),
  }),
]);
export type PublicBytes = z.infer<typeof publicBytes>;

/** What the stored text is read as before it goes into a derivation; `text`: its UTF-8 bytes. */
const of = z
  .enum(['text', ...ENCODINGS])
  .default('text')
  .describe('What the stored text is read as first; text: its UTF-8 bytes');

const PUBLIC_BYTES = "text, or { hex: 00ff }. It stands in the application's source and is no secret";

/**
 * How the application gets its key from the stored text. `fernet`: 32 bytes as URL-safe base64, 16 to sign and 16 to encrypt.
 * `raw`: the UTF-8 bytes of the text themselves are the key.
 */
export const keyForm = z.union([
  z.enum(['fernet', 'raw', ...ENCODINGS]),
  z.discriminatedUnion('derive', [
    z
      .strictObject({ derive: z.literal('sha256').describe('SHA-256 of it'), of })
      .describe('SHA-256 of the stored text.'),
    z
      .strictObject({
        derive: z.literal('scrypt').describe('scrypt (RFC 7914), 32 bytes'),
        of,
        salt: publicBytes.describe(`The salt: ${PUBLIC_BYTES}`),
        /** Node's names and defaults: N, r, p. */
        cost: z.int().min(2).default(16_384).describe('N, a power of two'),
        blockSize: z.int().min(1).default(8).describe('r, the size of a block'),
        parallelization: z.int().min(1).default(1).describe('p, how many at once'),
      })
      .describe("scrypt of the stored text, with the names and defaults of Node's crypto.scrypt."),
    z
      .strictObject({
        derive: z.literal('hkdf').describe('HKDF (RFC 5869), 32 bytes'),
        of,
        digest: z.enum(['sha256', 'sha384', 'sha512']).default('sha256').describe('The hash function'),
        salt: z
          .union([publicBytes, z.literal('')])
          .default('')
          .describe(`The salt: ${PUBLIC_BYTES}`),
        info: z
          .union([publicBytes, z.literal('')])
          .default('')
          .describe(`The info: ${PUBLIC_BYTES}`),
      })
      .describe('HKDF of the stored text.'),
  ]),
]);
export type KeyForm = z.infer<typeof keyForm>;

const GCM_PARTS = ['iv', 'tag', 'ciphertext'] as const;

/** The Fernet specification, version 0x80: URL-safe base64 with padding, as text or as bytes of that text. */
export const fernetFormat = z
  .strictObject({ cipher: z.literal('fernet').describe('Fernet tokens, gAAAA…, as text or as bytes of that text') })
  .describe('A Fernet token.');

export const gcmFormat = z
  .strictObject({
    cipher: z.literal('aes-256-gcm').describe('AES-256-GCM, a tag of 16 bytes'),
    layout: z
      .array(z.enum(GCM_PARTS))
      .length(3)
      .refine((parts) => new Set(parts).size === 3, 'must name iv, tag and ciphertext, each once')
      .default(['iv', 'tag', 'ciphertext'])
      .describe('In which order the three stand'),
    encoding: z
      .enum([...ENCODINGS, 'binary'])
      .default('hex')
      .describe('How bytes are written; binary: as they are, in a bytea column'),
    separator: z
      .string()
      .min(1)
      .max(3)
      .optional()
      .describe(
        "What stands between the three, each encoded for itself: ':'. Left out: the bytes follow one another and are encoded as a whole",
      ),
    prefix: z
      .string()
      .max(64)
      .default('')
      .describe(
        "What stands before everything else: 'v1:'. ${key.id} in it is the first 8 hex digits of the key's SHA-256",
      ),
    ivLength: z
      .union([z.literal(12), z.literal(16)])
      .default(12)
      .describe('Bytes of the iv: 12 as NIST SP 800-38D recommends; some applications use 16'),
    associatedData: text
      .optional()
      .describe(
        "What else is authenticated, as text with columns of the row: 'app_integrations:${row.id}'. Left out: nothing",
      ),
  })
  .describe('Initialisation vector, tag and ciphertext in one text or bytea.');
export type GcmFormat = z.infer<typeof gcmFormat>;

export const valueFormat = z.discriminatedUnion('cipher', [fernetFormat, gcmFormat]);
export type ValueFormat = z.infer<typeof valueFormat>;
