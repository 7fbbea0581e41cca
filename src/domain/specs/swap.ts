/** What an inventory says about a database credential: where its role lives, and how a new one takes over (documents 000–003). */
import { z } from 'zod';
import { duration, pointer, text } from './common.js';

/**
 * `group`: rights and ownership sit on a role that cannot log in, and each generation of login role is a member of it.
 * `copy`: the new role gets the same rights itself. `same-role`: a new password in place, for a user name that is fixed.
 */
export const STRATEGIES = ['group', 'copy', 'same-role'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** How user and password sit in the stored value. */
export const credentialShape = z.discriminatedUnion('in', [
  z
    .strictObject({ in: z.literal('url').describe('A URL: postgresql://USER:PASSWORD@HOST/DATABASE') })
    .describe('A URL with user and password; the schemes of drivers, such as postgresql+asyncpg, will do.'),
  z
    .strictObject({
      in: z.literal('json').describe('A JSON document'),
      user: pointer.default('/username').describe('JSON Pointer to the user name'),
      password: pointer.default('/password').describe('JSON Pointer to the password'),
    })
    .describe('A JSON document with user and password.'),
  z
    .strictObject({
      in: z.literal('variables').describe('Two variables, written together'),
      user: text.describe('The variable with the user name: DB_USER'),
      password: text.describe("The variable with the password: DB_PASSWORD; it is the secret's key"),
    })
    .describe('Two variables, which are written together. Also where a URL is put together from them.'),
  z
    .strictObject({
      in: z.literal('password').describe('The value is the password'),
      user: text.describe('The user name, which is fixed: shop'),
    })
    .describe('The value is the password of a fixed user name: strategy same-role only.'),
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
  strategy: z
    .enum(STRATEGIES)
    .describe(
      'How the new credential gets the same rights. group: they sit on a role that cannot log in, of which each login role is a member; copy: the new role gets them itself; same-role: a new password in place. keyturn plan recommends one',
    ),
  group: text.describe('Strategy group: the role that holds the rights; default: the role in use becomes it'),
  rolePrefix: prefix.describe('New roles are called PREFIX_DATE_MARK; default: the system and the environment'),
  credential: credentialShape.describe('How user and password sit in the stored value. Default: { in: url }'),
  delay: duration.describe('How long the old role is kept after everything runs on the new one. Default: 24h'),
  watchEvery: duration.describe('How often it is asked meanwhile who is still on the old role. Default: 5m'),
  observe: duration.describe('How long rejected log-ins are watched before what is left is ended. Default: 10m'),
  probe: text.describe('SQL that writes, run as the new role and rolled back: INSERT INTO orders DEFAULT VALUES'),
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
