/** Pieces that every part of an inventory shares. Zod schemas: the loader validates with them, `keyturn schema` exports them. */
import { z } from 'zod';
import { DURATION_PATTERN } from '../durations.js';
import { NAME_PATTERN } from '../refs.js';

export const name = z
  .string()
  .regex(NAME_PATTERN, 'must start with a letter or digit, then letters, digits, ".", "_" or "-" (63 at most)');

const NOT_A_DURATION = 'must be a duration such as 90d, 24h, 30m or 10s';
export const duration = z.string(NOT_A_DURATION).regex(DURATION_PATTERN, NOT_A_DURATION);

export const NOT_A_POINTER = 'must be a JSON Pointer, which begins with "/"';
/** RFC 6901: a place in a JSON document. */
export const pointer = z.string().regex(/^\//, NOT_A_POINTER);
/** The same; empty: the whole document. */
export const pointerOrWhole = z.string().regex(/^(?:\/|$)/, NOT_A_POINTER);

export const text = z.string().min(1, 'must not be empty');

/** A command as a list of arguments. Never a shell string: nothing is expanded or split. */
export const argv = z
  .array(text)
  .min(1, 'needs at least the program to run')
  .describe('A command as a list of arguments; no shell reads it');

/**
 * Where Keyturn finds what it signs in with itself: a variable or a file of the worker. Never the value.
 */
export const credentialRef = z
  .union(
    [
      z.strictObject({ env: text.describe('A variable of the worker: SHOP_ADMIN_URL') }),
      z.strictObject({
        file: text.describe(
          'A file that the worker can read, relative to the inventory file; a line feed at its end does not count',
        ),
      }),
    ],
    { error: 'must be { env: VARIABLE } or { file: PATH } of the worker, never the value itself' },
  )
  .describe('What Keyturn signs in with: a variable or a file of the worker, never the value');
export type CredentialRef = z.infer<typeof credentialRef>;
