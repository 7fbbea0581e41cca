/** What people send to a run: its input, and decisions. Parsed strictly; every message says what would have been right. */
import { z } from 'zod';
import { DURATION_PATTERN } from './durations.js';
import { KeyturnError } from './errors.js';
import { oneLine } from './one-line.js';
import { personName } from './person.js';
import { REASONS } from './reason.js';
import { NAME_PATTERN } from './refs.js';
import { looksSecret } from './secret-looking.js';

/** Runs of this one change no secret: its id is `backup:SYSTEM/ENV/NAME`. */
export const BACKUP_WORKFLOW_TYPE = 'backUpSecrets';

/** A look: it changes nothing, and its id (domain/preview.ts) is no lock. */
export const PREVIEW_WORKFLOW_TYPE = 'previewRotation';

/** For an encryption key whose rows nobody can read. Its id is the rotation's: the same lock. */
export const RECOVER_WORKFLOW_TYPE = 'recoverLostKey';

/** Signals for the UI and updates for the CLI share these names and this meaning. */
export const APPROVE = 'approve';
export const REJECT = 'reject';
/** The same for the wait in which an old database role is kept: longer, over now, or back to the old role. */
export const EXTEND = 'extend';
export const DROP_NOW = 'dropNow';
export const ABORT = 'abort';
/** An undo that fails again and again: now once more, leave this step as it is, or leave all that is still to be undone. */
export const TRY_AGAIN = 'tryAgain';
export const GO_ON_WITHOUT = 'goOnWithout';
export const STOP_HERE = 'stopHere';
export const UNDOING = [TRY_AGAIN, GO_ON_WITHOUT, STOP_HERE] as const;
export const STEERING = [EXTEND, DROP_NOW, ABORT, ...UNDOING] as const;
export type Steer = (typeof STEERING)[number];
/** Signal: who cancels the run, for its record. A cancellation itself carries no name. */
export const CANCELLED_BY = 'cancelledBy';
/** Query: the run's state as data (RunStatus). */
export const STATUS_QUERY = 'status';

export const DEFAULT_TASK_QUEUE = 'keyturn';

export const LONGEST_NOTE = 500;
const MOST_PROBLEMS = 6;

/** A copy of the pattern, here and below: what runs share is frozen (workflows/shared.ts), and zod sets `lastIndex`. */
const name = z.string().regex(new RegExp(NAME_PATTERN), 'must be a name: letters, digits, ".", "_", "-"');
/** Read by many and kept for good, so it is one line, and nothing that could be a value. */
const note = z.string().transform((text, context) => {
  const problem = noteProblem(text);
  if (problem === null) return oneLine(text, LONGEST_NOTE);
  context.addIssue({ code: 'custom', message: problem });
  return z.NEVER;
});
/** Of what decisions name: our own words. */
const word = z.string().regex(/^[\w@.: -]*$/, 'must be a word as it is shown');
const path = z.string().min(1).max(4_096);

const rotateInputSchema = z.strictObject({
  system: name,
  environment: name.optional(),
  secret: name,
  operator: personName(),
  reason: z.enum(REASONS).default('routine'),
  note: note.optional(),
  /** Set by the run that leads this one through the environments in waves: its workflow id. */
  leader: z.string().max(300).optional(),
});
export type RotateInput = z.infer<typeof rotateInputSchema>;

/** Of `keyturn plan`: the same request, of which nothing is carried out. */
const previewInputSchema = rotateInputSchema.omit({ leader: true }).extend({
  /** Also what leaves a trace: flows sign in. */
  flows: z.boolean().default(false),
});
export type PreviewInput = z.infer<typeof previewInputSchema>;

const opened = z.union([z.strictObject({ env: path }), z.strictObject({ file: path })], {
  error: 'must be { "env": VARIABLE } or { "file": PATH } of the worker, never the value itself',
});

const recoverInputSchema = rotateInputSchema.extend({
  environment: name,
  /** Archives that may hold the key: absolute paths where the worker is. */
  backups: z.array(path.startsWith('/', 'must be an absolute path on the worker')).max(100).default([]),
  /** What opens them. */
  identity: opened.optional(),
  passphrase: opened.optional(),
});
export type RecoverInput = z.infer<typeof recoverInputSchema>;

const backupInputSchema = z
  .strictObject({
    system: name,
    /** Left out: all environments. */
    environment: name.optional(),
    /** Left out: all of the environment. */
    backup: name.optional(),
    operator: personName(),
    note: note.optional(),
  })
  .refine(({ environment, backup }) => environment !== undefined || backup === undefined, {
    path: ['environment'],
    message: 'a backup is named with its environment',
  });
export type BackupInput = z.infer<typeof backupInputSchema>;

const decisionSchema = z.strictObject({
  by: personName(),
  note: note.optional(),
  gate: word.max(60).optional(),
  plan: word.max(64).optional(),
});
export type DecisionInput = z.infer<typeof decisionSchema>;

const steerSchema = z.strictObject({ by: personName(), note: note.optional() });
const extendSchema = steerSchema.extend({
  /** From the deadline that stands now. */
  for: z.string().regex(new RegExp(DURATION_PATTERN), 'must be a duration: a whole number and s, m, h or d'),
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
export function parsePreviewInput(input: unknown): PreviewInput {
  return parse(previewInputSchema, input, 'the input of a plan', ROTATE_SAMPLE);
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

/** @throws KeyturnError `bad-input` likewise. */
export function parseCancellation(input: unknown): SteerInput {
  return parse(steerSchema, input, 'a cancellation', STEER_SAMPLE);
}

export interface InputProblem {
  /** null: what was sent as a whole. */
  readonly field: string | null;
  /** What it must be. */
  readonly message: string;
}

/** Its message is for those who send JSON; who typed options is told of those (cli/typed-input.ts). */
export class BadInput extends KeyturnError {
  constructor(
    readonly problems: readonly InputProblem[],
    what: string,
    sample: string,
  ) {
    const right = JSON.parse(sample) as Readonly<Record<string, unknown>>;
    const words = problems.map(({ field, message }) => {
      const example = field === null ? undefined : right[field];
      return `${field ?? what}: ${message}${example === undefined ? '' : `, such as ${JSON.stringify(example)}`}`;
    });
    super('bad-input', `${words.join('; ')}. It must be one JSON object such as ${sample}`, { hint: `send ${sample}` });
  }
}

function parse<T>(schema: z.ZodType<T>, input: unknown, what: string, sample: string): T {
  const result = schema.safeParse(input, { error: inWords });
  if (result.success) return result.data;
  throw new BadInput(problemsOf(result.error), what, sample);
}

const TYPES: Readonly<Record<string, string>> = { string: 'a text', object: 'a JSON object', array: 'a list' };

/** Where a schema has no words of its own. */
function inWords(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code !== 'invalid_type') return undefined;
  const must = `must be ${TYPES[issue.expected] ?? issue.expected}`;
  return issue.input === undefined ? `is missing; it ${must}` : must;
}

/** Whatever was sent: a key, or its name, may be megabytes, and there may be thousands. */
function problemsOf({ issues }: z.ZodError): InputProblem[] {
  const shown = issues.slice(0, MOST_PROBLEMS).map(({ path: at, message }) => {
    const field = at.slice(0, 5).map(String).join('.');
    return { field: field === '' ? null : oneLine(field, 60), message: oneLine(message, 120) };
  });
  const more = issues.length - shown.length;
  return [...shown, ...(more > 0 ? [{ field: null, message: `and ${more} more problems` }] : [])];
}

/** `password: …`, `token=…`: what stands after such a word is one, whatever it looks like. */
const SAID_TO_BE_SECRET =
  /\b(?:passw(?:or)?[dt]|passphrase|pwd|secret|token|api[-_ ]?key)["']?\s{0,5}[:=]\s{0,5}["']?(?=\S*\d)\S{6}/i;

function noteProblem(text: string): string | null {
  if (text.length > LONGEST_NOTE) return `must be ${LONGEST_NOTE} characters at most`;
  const secret = looksSecret(text)?.what ?? (SAID_TO_BE_SECRET.test(text) ? 'a password or token' : null);
  return secret === null
    ? null
    : `holds what looks like ${secret}; never paste a value, and replace this one if it is real`;
}
