/** What people send to a run: its input, and decisions. Parsed strictly; every message says what would have been right. */
import { z } from 'zod';
import { DURATION_PATTERN } from './durations.js';
import { KeyturnError } from './errors.js';
import { REASONS } from './plan.js';
import { NAME_PATTERN } from './refs.js';

export const WORKFLOW_TYPES = {
  session: 'rotateSessionSecret',
  database: 'swapDatabaseCredential',
  encryption: 'rotateEncryptionKey',
} as const;

/** Runs of this one change no secret: its id is `backup:SYSTEM/ENV/NAME`. */
export const BACKUP_WORKFLOW_TYPE = 'backUpSecrets';

/** For an encryption key whose rows nobody can read. Its id is the rotation's: the same lock. */
export const RECOVER_WORKFLOW_TYPE = 'recoverLostKey';

/** Signals for the UI and updates for the CLI share these names and this meaning. */
export const APPROVE = 'approve';
export const REJECT = 'reject';
/** The same for the wait in which an old database role is kept: longer, over now, or back to the old role. */
export const EXTEND = 'extend';
export const DROP_NOW = 'dropNow';
export const ABORT = 'abort';
export const STEERING = [EXTEND, DROP_NOW, ABORT] as const;
export type Steer = (typeof STEERING)[number];
/** Query: the run's state as data (RunStatus). */
export const STATUS_QUERY = 'status';

export const DEFAULT_TASK_QUEUE = 'keyturn';

const name = z.string().regex(NAME_PATTERN, 'must be a name: letters, digits, ".", "_", "-"');
/** No line breaks, which could forge lines of a record, and nothing invisible, which would make one person two. */
const person = z
  .string()
  .trim()
  .min(2, 'must name a person')
  .max(120)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'must be one line of visible characters');

export const rotateInputSchema = z.strictObject({
  system: name,
  environment: name.optional(),
  secret: name,
  operator: person,
  reason: z.enum(REASONS).default('routine'),
  note: z.string().max(500).optional(),
  /** Set by the run that leads this one through the environments in waves: its workflow id. */
  leader: z.string().max(300).optional(),
});
export type RotateInput = z.infer<typeof rotateInputSchema>;

const opened = z.union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
  error: 'must be { "env": VARIABLE } or { "file": PATH } of the worker, never the value itself',
});

export const recoverInputSchema = rotateInputSchema.extend({
  environment: name,
  /** Archives that may hold the key: absolute paths where the worker is. */
  backups: z.array(z.string().startsWith('/', 'must be an absolute path on the worker')).max(100).default([]),
  /** What opens them. */
  identity: opened.optional(),
  passphrase: opened.optional(),
});
export type RecoverInput = z.infer<typeof recoverInputSchema>;

export const backupInputSchema = z
  .strictObject({
    system: name,
    /** Left out: all environments. */
    environment: name.optional(),
    /** Left out: all of the environment. */
    backup: name.optional(),
    operator: person,
    note: z.string().max(500).optional(),
  })
  .refine(({ environment, backup }) => environment !== undefined || backup === undefined, {
    path: ['environment'],
    message: 'a backup is named with its environment',
  });
export type BackupInput = z.infer<typeof backupInputSchema>;

export const decisionSchema = z.strictObject({
  by: person,
  note: z.string().max(500).optional(),
  gate: z.string().max(60).optional(),
  plan: z.string().max(64).optional(),
});
export type DecisionInput = z.infer<typeof decisionSchema>;

export const steerSchema = z.strictObject({ by: person, note: z.string().max(500).optional() });
export const extendSchema = steerSchema.extend({
  /** From the deadline that stands now. */
  for: z.string().regex(DURATION_PATTERN, 'must be a duration such as 6h or 30m'),
});
export type SteerInput = z.infer<typeof steerSchema> & { readonly for?: string };

export const ROTATE_SAMPLE =
  '{"system":"mediavault","environment":"production","secret":"SESSION_SECRET","operator":"ana@example.test","reason":"routine"}';
export const RECOVER_SAMPLE =
  '{"system":"arena","environment":"production","secret":"CREDENTIAL_ENCRYPTION_KEY","operator":"ana@example.test"}';
export const BACKUP_SAMPLE = '{"system":"arena","environment":"production","operator":"ana@example.test"}';
export const DECISION_SAMPLE = '{"by":"ben@example.test","note":"checked with support"}';

export const STEER_SAMPLE = '{"by":"ben@example.test","note":"the nightly job is over"}';
export const EXTEND_SAMPLE = '{"by":"ben@example.test","for":"6h","note":"the nightly job still uses it"}';

/** @throws KeyturnError `bad-input` naming every wrong field and showing a correct sample. */
export function parseRotateInput(input: unknown): RotateInput {
  return parse(rotateInputSchema, input, 'the input of a rotation', ROTATE_SAMPLE);
}

/** @throws KeyturnError `bad-input` likewise. */
export function parseRecoverInput(input: unknown): RecoverInput {
  return parse(recoverInputSchema, input, 'the input of a recovery', RECOVER_SAMPLE);
}

/** @throws KeyturnError `bad-input` likewise. */
export function parseBackupInput(input: unknown): BackupInput {
  return parse(backupInputSchema, input, 'the input of a backup', BACKUP_SAMPLE);
}

/** @throws KeyturnError `bad-input` likewise. */
export function parseDecision(input: unknown): DecisionInput {
  return parse(decisionSchema, input, 'a decision', DECISION_SAMPLE);
}

/** @throws KeyturnError `bad-input` likewise. */
export function parseSteer(steer: Steer, input: unknown): SteerInput {
  return steer === EXTEND
    ? parse(extendSchema, input, 'an extension', EXTEND_SAMPLE)
    : parse(steerSchema, input, `"${steer}"`, STEER_SAMPLE);
}

function parse<T>(schema: z.ZodType<T>, input: unknown, what: string, sample: string): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || what}: ${issue.message}`);
  throw new KeyturnError('bad-input', `${problems.join('; ')}. It must be one JSON object such as ${sample}`, {
    hint: `send ${sample}`,
  });
}
