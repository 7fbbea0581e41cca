/** What an inventory says about a secret. */
import { z } from 'zod';
import { httpRequest } from './check.js';
import { duration, pointer, text } from './common.js';
import { encryptionSpec } from './encryption.js';
import { approvalPolicy, windowOrNone } from './policy.js';
import { swapSpec } from './swap.js';

export const SECRET_KINDS = ['session', 'signing', 'token', 'database', 'encryption', 'provider'] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

/**
 * `hex:32` 32 random bytes as 64 hex digits · `base64:32` · `base64url:48` (Python's `token_urlsafe(48)`) ·
 * `fernet` a Fernet key · `test:16` identifiable test values for development, `test-NAME-…`.
 */
export const GENERATOR_PATTERN = /^(?:(?:hex|base64|base64url|test):[1-9]\d{0,2}|fernet)$/;
export const generator = z
  .string()
  .regex(GENERATOR_PATTERN, 'must be hex:32, base64:32, base64url:48, fernet or test:16')
  .describe(
    "How a new value is made: the alphabet and the number of random bytes. hex:32 is 64 hex digits; base64url:48 is Python's token_urlsafe(48); fernet is a Fernet key; test:16 is a recognisable value for development. Default: hex:32, for a database credential base64url:32",
  );

/** Where inside a variable the secret sits, when it is not the whole of it. */
export const partSpec = z.union([
  z
    .strictObject({ url: z.enum(['password', 'user']).describe('Which part of the URL it is') })
    .describe('A part of a URL.'),
  z
    .strictObject({
      json: pointer.describe('JSON Pointer to it: /password'),
    })
    .describe('A part of a JSON document.'),
]);
export type PartSpec = z.infer<typeof partSpec>;

const overlapTiming = {
  tokenLifetime: duration.describe('The longest that a token or cookie signed with the old value stays valid: 30m'),
  skew: duration.default('5m').describe('What is waited beyond that, since clocks differ between signer and verifier'),
};

/** How an application takes two values at once. */
export const overlapSpec = z.discriminatedUnion('style', [
  z
    .strictObject({
      style: z.literal('list').describe('Both in one variable; the first signs'),
      separator: z.string().min(1).max(3).default(',').describe('What stands between the two'),
      ...overlapTiming,
    })
    .describe('One variable with both values: the first signs, both are accepted.'),
  z
    .strictObject({
      style: z.literal('previous').describe('The other one in a second variable'),
      variable: text.describe(
        'The second variable, or file of a docker-secrets store: SESSION_SECRET_PREVIOUS. What stands there is accepted, and does not sign',
      ),
      ...overlapTiming,
    })
    .describe('A second variable with the other value, which is accepted and does not sign.'),
]);
export type OverlapSpec = z.infer<typeof overlapSpec>;

/** Somebody with access leaves: whether the old value goes at once, or overlap and delay are kept as in a routine rotation. */
const leaver = z
  .enum(['at-once', 'as-routine'])
  .describe(
    'When somebody with access leaves: the old value ends at once, or overlap and delay are kept as in a routine rotation',
  );

export const revocationSpec = z.strictObject({
  database: text.describe('Name of a database in the environment'),
  count: text.describe(
    'SQL whose first column of the first row is the number of live sessions: SELECT count(*) FROM sessions',
  ),
  revoke: text.describe('SQL that ends all sessions: DELETE FROM sessions'),
  when: z.enum(['always', 'leak']).default('always').describe('leak: only after a leak or a suspicion'),
});
export type RevocationSpec = z.infer<typeof revocationSpec>;

const statuses = z.array(z.int().min(100).max(599)).min(1);

const answers = {
  request: httpRequest.describe('The request that presents it'),
  accepted: statuses.default([200]).describe('Statuses that say: accepted'),
  refused: statuses.default([401, 403]).describe('Statuses that say: refused. 429 and 5xx say neither'),
  refusedTo: z
    .string()
    .startsWith('/', 'must be a path such as /login')
    .optional()
    .describe('The path that a redirect must lead to in order to count as a refusal: /login'),
};

const login = text.describe('Name of an http-flow check that signs in');

/**
 * How to show that the old value is dead. Each kind has its control: the same request with the new value must be
 * accepted, or the refusal of the old one would prove nothing.
 */
export const proofSpec = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('signed-cookie').describe('A session cookie s:CONTENT.SIGNATURE (cookie-signature)'),
      login,
      cookie: text.describe('Name of the cookie that it is given: connect.sid'),
      ...answers,
    })
    .describe('A real cookie is fetched by `login`, and its content signed again with the old value.'),
  z
    .strictObject({
      type: z.literal('jwt').describe('A JSON Web Token, HS256, HS384 or HS512'),
      login,
      capture: text.describe(
        'Name under which it captures the token; the request presents it as ${captured.NAME}: accessToken',
      ),
      ...answers,
    })
    .describe('A real token is captured by `login`, and its header and claims signed again with the old value.'),
  z
    .strictObject({ type: z.literal('value').describe('The value itself'), ...answers })
    .describe("The value itself is presented, as `${value}`: headers: { Authorization: 'Bearer ${value}' }."),
]);
export type ProofSpec = z.infer<typeof proofSpec>;

/** What both a secret and an environment's exception to it can say. */
const said = {
  store: text.describe('Name of the store in which it lives'),
  key: text.describe("The variable, or the file of a docker-secrets store. Default: the secret's name"),
  part: partSpec.describe(
    'Where inside the variable it sits, where it is not the whole: { url: password }, { json: /smtp/password }',
  ),
  minimumLength: z.int().min(1).max(4096).describe('Fewest characters that the application accepts'),
  cadence: duration.describe('How often it is rotated: 90d'),
  /** Document 003 gives the database password a range, "180–365 days": due after `cadence`, overdue after `latest`. */
  latest: duration.describe('The longest that policy tolerates before it is overdue. Default: the cadence'),
  overlap: overlapSpec.describe(
    'How the application takes two values at once, so that nobody has to sign in again. Left out: the old value ends with the deploy of the new one',
  ),
  services: z
    .array(text)
    .min(1)
    .describe('Names of the services that consume it, in the order in which they are deployed: [web]'),
  verify: z.array(text).describe('Names of checks, mostly flows, that must pass after the change: [sign-in]'),
  monitors: z.array(text).describe('Names of monitors that are watched after the change'),
  watch: duration.describe('How long the monitors are watched'),
  revokeSessions: revocationSpec.describe('How live sessions are counted and ended, where they outlive the value'),
  proof: proofSpec.describe(
    'How to show that the old value is dead, of kinds session, signing and token. Left out: the record says "not proven"',
  ),
  swap: swapSpec.describe('Kind database: how a new credential takes over'),
  encryption: encryptionSpec.describe('Kind encryption: which columns the key protects, and how rows get a new one'),
  notes: text.describe('What people should know, shown in the plan'),
};

export const secretSpec = z.strictObject({
  description: text.optional().describe('For people'),
  kind: z
    .enum(SECRET_KINDS)
    .describe(
      'What it is, which says how it is rotated. session signs sessions; signing signs tokens; token is presented as it is; database is a PostgreSQL credential; encryption encrypts columns; provider is a key of a third party (listed only: it has no runbook yet)',
    ),
  store: said.store,
  key: said.key.optional(),
  part: said.part.optional(),
  generator: generator.optional(),
  minimumLength: said.minimumLength.default(32),
  critical: z
    .boolean()
    .optional()
    .describe('Its loss or leak cannot be undone: it is backed up alone, and not rotated without a proven backup'),
  /** Document 004, "Consequence if lost". */
  ifLost: text.optional().describe('What follows if the value is lost, for people'),
  cadence: said.cadence.optional(),
  latest: said.latest.optional(),
  overlap: said.overlap.optional(),
  leaver: leaver.default('at-once'),
  services: said.services,
  verify: said.verify.optional(),
  monitors: said.monitors.optional(),
  watch: said.watch.default('10m'),
  revokeSessions: said.revokeSessions.optional(),
  proof: said.proof.optional(),
  swap: said.swap.optional(),
  encryption: said.encryption.optional(),
  maintenanceWindow: windowOrNone.optional(),
  approval: approvalPolicy.optional(),
  notes: said.notes.optional(),
});
export type SecretSpec = z.infer<typeof secretSpec>;

function orNone<T extends z.ZodType>(schema: T): z.ZodOptional<z.ZodUnion<readonly [T, z.ZodLiteral<'none'>]>> {
  return z
    .union([schema, z.literal('none')])
    .optional()
    .describe(`${schema.description ?? ''}. none: takes back what the secret itself says`);
}

/** What one environment may say differently about a secret. */
export const secretOverride = z.strictObject({
  store: said.store.optional(),
  key: said.key.optional(),
  generator: generator.optional(),
  minimumLength: said.minimumLength.optional(),
  part: orNone(said.part),
  cadence: orNone(said.cadence),
  latest: orNone(said.latest),
  overlap: orNone(said.overlap),
  leaver: leaver.optional(),
  services: said.services.optional(),
  verify: said.verify.optional(),
  monitors: said.monitors.optional(),
  watch: said.watch.optional(),
  revokeSessions: orNone(said.revokeSessions),
  proof: orNone(said.proof),
  swap: said.swap.optional(),
  encryption: said.encryption.optional(),
  maintenanceWindow: windowOrNone.optional(),
  approval: approvalPolicy.optional(),
  notes: said.notes.optional(),
});
export type SecretOverride = z.infer<typeof secretOverride>;
