/** What an inventory says about a secret. */
import { z } from 'zod';
import { httpRequest } from './check.js';
import { duration, text } from './common.js';
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
  .describe('How a new value is made: the alphabet and the number of random bytes');

/** Where inside a variable the secret sits, when it is not the whole of it. */
export const partSpec = z.union([
  z.strictObject({ url: z.enum(['password', 'user']) }),
  z.strictObject({ json: z.string().startsWith('/', 'must be a JSON Pointer such as /password') }),
]);
export type PartSpec = z.infer<typeof partSpec>;

const overlapTiming = {
  /** The longest that a token or cookie signed with the old value stays valid. */
  tokenLifetime: duration,
  /** Clocks differ between signer and verifier. */
  skew: duration.default('5m'),
};

/** How an application takes two values at once. */
export const overlapSpec = z.discriminatedUnion('style', [
  /** One variable with several values: the first signs, all are accepted. */
  z.strictObject({ style: z.literal('list'), separator: z.string().min(1).max(3).default(','), ...overlapTiming }),
  /** `X` signs and is accepted; the second variable is accepted too. */
  z.strictObject({ style: z.literal('previous'), variable: text, ...overlapTiming }),
]);
export type OverlapSpec = z.infer<typeof overlapSpec>;

/** Somebody with access leaves: whether the old value goes at once, or overlap and delay are kept as in a routine rotation. */
const leaver = z
  .enum(['at-once', 'as-routine'])
  .describe('When somebody with access leaves: end the old value at once, or keep overlap and delay');

export const revocationSpec = z.strictObject({
  database: text,
  /** SQL whose first column of the first row is the number of live sessions. */
  count: text,
  /** SQL that ends all sessions. */
  revoke: text,
  when: z.enum(['always', 'leak']).default('always').describe('`leak`: only after a leak or a suspicion'),
});
export type RevocationSpec = z.infer<typeof revocationSpec>;

const statuses = z.array(z.int().min(100).max(599)).min(1);

const answers = {
  request: httpRequest,
  accepted: statuses.default([200]),
  refused: statuses.default([401, 403]),
  /** A redirect is a refusal only where it leads to this path. */
  refusedTo: z
    .string()
    .startsWith('/', 'must be a path such as /login')
    .optional()
    .describe('The path that a redirect leads to, for a redirect to count as a refusal: /login'),
};

/**
 * How to show that the old value is dead. Each kind has its control: the same request with the new value must be
 * accepted, or the refusal of the old one would prove nothing.
 */
export const proofSpec = z.discriminatedUnion('type', [
  /** A real cookie is fetched by `login` and its content signed again with the old value (cookie-signature: `s:content.signature`). */
  z.strictObject({ type: z.literal('signed-cookie'), login: text, cookie: text, ...answers }),
  /** A real token is captured by `login` and its header and claims signed again with the old value (HS256/384/512). */
  z.strictObject({ type: z.literal('jwt'), login: text, capture: text, ...answers }),
  /** The value itself is presented, as `${value}`. */
  z.strictObject({ type: z.literal('value'), ...answers }),
]);
export type ProofSpec = z.infer<typeof proofSpec>;

const fields = {
  description: text.optional(),
  kind: z.enum(SECRET_KINDS),
  store: text.describe('Name of the store in the environment'),
  key: text.optional().describe('The variable; default: the name of the secret'),
  part: partSpec.optional(),
  generator: generator.optional(),
  /** Fewest characters that the application accepts. */
  minimumLength: z.int().min(1).max(4096).default(32),
  /** Its loss or leak cannot be undone (document 004). */
  critical: z.boolean().optional().describe('Its loss or leak cannot be undone'),
  /** Document 004, "Consequence if lost". */
  ifLost: text.optional().describe('What follows if the value is lost, for people'),
  cadence: duration.optional().describe('How often it is rotated'),
  /** Document 003 gives the database password a range, "180–365 days": due after `cadence`, overdue after `latest`. */
  latest: duration.optional().describe('The longest that policy tolerates; default: the cadence'),
  overlap: overlapSpec.optional(),
  leaver: leaver.default('at-once'),
  services: z.array(text).min(1).describe('Services that consume it, in the order in which they are deployed'),
  /** Checks (usually flows) that must pass after the change. */
  verify: z.array(text).optional(),
  monitors: z.array(text).optional(),
  /** How long the monitors are watched. */
  watch: duration.default('10m'),
  revokeSessions: revocationSpec.optional(),
  proof: proofSpec.optional(),
  swap: swapSpec.optional().describe('Kind database: how a new credential takes over'),
  encryption: encryptionSpec
    .optional()
    .describe('Kind encryption: which columns the key protects, and how rows get a new one'),
  maintenanceWindow: windowOrNone.optional(),
  approval: approvalPolicy.optional(),
  /** What people should know, shown in the plan. */
  notes: text.optional(),
};

export const secretSpec = z.strictObject(fields);
export type SecretSpec = z.infer<typeof secretSpec>;

/** Takes back what the secret's own entry says. */
const none = z.literal('none');

/** What one environment may say differently about a secret. */
export const secretOverride = z.strictObject({
  store: text.optional(),
  key: text.optional(),
  generator: generator.optional(),
  minimumLength: z.int().min(1).max(4096).optional(),
  part: z.union([partSpec, none]).optional(),
  cadence: z.union([duration, none]).optional(),
  latest: z.union([duration, none]).optional(),
  overlap: z.union([overlapSpec, none]).optional(),
  leaver: leaver.optional(),
  services: z.array(text).min(1).optional(),
  verify: z.array(text).optional(),
  monitors: z.array(text).optional(),
  watch: duration.optional(),
  revokeSessions: z.union([revocationSpec, none]).optional(),
  proof: z.union([proofSpec, none]).optional(),
  swap: swapSpec.optional(),
  encryption: encryptionSpec.optional(),
  maintenanceWindow: windowOrNone.optional(),
  approval: approvalPolicy.optional(),
  notes: text.optional(),
});
export type SecretOverride = z.infer<typeof secretOverride>;
