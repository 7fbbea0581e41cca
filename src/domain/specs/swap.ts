/** What an inventory says about a database credential: where its role lives, and how a new one takes over (documents 000–003). */
import { z } from 'zod';
import { duration, text } from './common.js';

/**
 * `group`: rights and ownership sit on a role that cannot log in, and each generation of login role is a member of it.
 * `copy`: the new role gets the same rights itself. `same-role`: a new password in place, for a user name that is fixed.
 */
export const STRATEGIES = ['group', 'copy', 'same-role'] as const;
export type Strategy = (typeof STRATEGIES)[number];

const pointer = z.string().startsWith('/', 'must be a JSON Pointer such as /password');

/** How user and password sit in the stored value. */
export const credentialShape = z.discriminatedUnion('in', [
  /** `postgresql://USER:PASSWORD@HOST/DATABASE`. */
  z.strictObject({ in: z.literal('url') }),
  z.strictObject({ in: z.literal('json'), user: pointer.default('/username'), password: pointer.default('/password') }),
  /** Two variables, written together. */
  z.strictObject({ in: z.literal('variables'), user: text, password: text }),
  /** The value is the password; the user name is fixed, so only `same-role` can rotate it. */
  z.strictObject({ in: z.literal('password'), user: text }),
]);
export type CredentialShape = z.infer<typeof credentialShape>;

/** PostgreSQL cuts identifiers off at 63 bytes; the date and the run's mark need 15. */
const prefix = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_]{0,47}$/,
    'must be lower-case letters, digits and "_" (48 at most), and not begin with a digit',
  );

const fields = {
  database: text.describe('Name of the database in the environment: with its administrator and nodes'),
  name: text.describe("The application's database on that server; default: the one in the administrator's URL"),
  strategy: z.enum(STRATEGIES).describe('How the new credential gets the same rights'),
  group: text.describe('Strategy group: the role that holds the rights; default: the role in use becomes it'),
  rolePrefix: prefix.describe('New roles are called PREFIX_DATE_MARK; default: the system and the environment'),
  credential: credentialShape,
  delay: duration.describe('How long the old role is kept after everything runs on the new one'),
  watchEvery: duration.describe('How often it is asked meanwhile who is still on the old role'),
  observe: duration.describe('How long rejected log-ins are watched before what is left is ended'),
  probe: text.describe('SQL that writes; run as the new role and rolled back'),
};

/** All optional: an environment may say some of it; what nobody says has a default (SWAP_DEFAULTS). */
export const swapSpec = z.strictObject(fields).partial();
export type SwapSpec = z.infer<typeof swapSpec>;

export const SWAP_DEFAULTS = {
  credential: { in: 'url' },
  // Document 003: "drop old user after verification delay (24h)".
  delay: '24h',
  watchEvery: '5m',
  observe: '10m',
} as const;
