/** The header of a signed token (RFC 7515, section 4). It says which key verifies it, stands in every token as it is, and is no secret. */
import { z } from 'zod';

const LARGEST = 2_000;

/** Plain values only, of a bounded size: it crosses the workflow. */
export const joseHeader = z
  .record(z.string().max(60), z.union([z.string().max(600), z.number(), z.boolean()]))
  .refine((header) => JSON.stringify(header).length <= LARGEST, 'is too large');
export type JoseHeader = Readonly<z.infer<typeof joseHeader>>;

/** Which of several keys verifies: a verifier may go by them, and then an old token is one with the old header. */
const NAMES_A_KEY = ['kid', 'jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256'];

/** The names in it that choose a key, for people: `kid`. */
export function keyNamesIn(header: JoseHeader): string[] {
  return NAMES_A_KEY.filter((name) => Object.hasOwn(header, name));
}
