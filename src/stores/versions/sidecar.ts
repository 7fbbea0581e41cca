/**
 * `FILE.keyturn`, beside the env file, or `DIRECTORY.keyturn`, beside a directory of secrets: what the application must not see.
 * One entry for each secret under rotation, with both values and how its place looked before, so that every arrangement can be
 * made from it, and undone to the byte. It does not say which arrangement is in force: what the application reads itself does
 * (arrangements.ts), so no crash can make them disagree. It does say how far the rotation has ever come (`reached`): what services
 * were deployed with cannot be read off files that a person may have edited.
 */
import { constants } from 'node:fs';
import { z } from 'zod';
import { KeyturnError } from '../../domain/errors.js';
import { SecretValue } from '../../domain/secret-value.js';
import { REASONS } from '../../domain/reason.js';
import { ARRANGEMENTS, type SecretSlot } from '../../domain/slot.js';
import { partSpec } from '../../domain/specs/secret.js';
import { errorCode, fileError } from '../files/file-errors.js';
import { parsePair } from '../pair-value.js';
import { readRegular } from '../../processes/read-regular.js';
import { removeFile, replaceFile, type Replacement } from '../files/replace-file.js';

const exposure = z.discriminatedUnion('style', [
  z.strictObject({ style: z.literal('single') }),
  z.strictObject({ style: z.literal('list'), separator: z.string().min(1) }),
  z.strictObject({ style: z.literal('previous'), variable: z.string().min(1) }),
  z.strictObject({ style: z.literal('pair'), variable: z.string().min(1) }),
]);

const entrySchema = z.strictObject({
  key: z.string().min(1),
  part: partSpec.optional(),
  exposure,
  rotation: z.string().min(1),
  /** ISO 8601. */
  stagedAt: z.string(),
  stagedBy: z
    .strictObject({ namespace: z.string(), namespaceId: z.string(), workflowId: z.string(), reason: z.enum(REASONS) })
    .nullable(),
  /** The furthest arrangement that was ever written, noted before it was; undone or not. */
  reached: z.enum(ARRANGEMENTS),
  old: z.string().min(1),
  new: z.string().min(1),
  /** Further values of a list, accepted besides the old one until the new one stands alone. */
  rest: z.array(z.string()),
  /** The variable or file when the new value was staged: as written, as read, and the part as it was encoded there. */
  original: z.strictObject({ raw: z.string(), value: z.string(), piece: z.string() }),
  /** The second one then (of a pair the password's); null: there was none, or the exposure has none. */
  second: z.strictObject({ raw: z.string(), value: z.string() }).nullable(),
});
export type Entry = z.infer<typeof entrySchema>;

const sidecarSchema = z.strictObject({ version: z.literal(1), entries: z.record(z.string(), entrySchema) });

export interface Sidecar {
  readonly path: string;
  readonly entries: Readonly<Record<string, Entry>>;
  /** The file as read; null: there is none. */
  readonly bytes: Buffer | null;
}

/** Some values of 1 MiB each. */
const LARGEST_SIDECAR = 16_777_216;

/** The name of a slot in the sidecar: `DATABASE_URL`, `DATABASE_URL#url:password`, `SETTINGS#json:/mail/password`. */
export function slotId(slot: Pick<SecretSlot, 'key' | 'part'>): string {
  if (!slot.part) return slot.key;
  return 'url' in slot.part ? `${slot.key}#url:${slot.part.url}` : `${slot.key}#json:${slot.part.json}`;
}

/** @param place the file or directory, behind any symlink. */
export function sidecarPath(place: string): string {
  return `${place}.keyturn`;
}

/** @throws KeyturnError `malformed` when the file is not what Keyturn writes; `not-writable` when it cannot be read. */
export async function loadSidecar(place: string): Promise<Sidecar> {
  const path = sidecarPath(place);
  const bytes = await readNoFollow(path);
  if (bytes === null) return { path, entries: {}, bytes };
  const result = sidecarSchema.safeParse(parseJson(bytes.toString('utf8')));
  if (!result.success) {
    // Paths only: a message of the parser could quote a value.
    const places = result.error.issues.map((issue) => issue.path.join('.') || 'the whole file');
    throw new KeyturnError(
      'malformed',
      `${path} is not a file that this version of Keyturn wrote: ${places.join(', ')}`,
      {
        hint: 'it holds pending and previous values: restore it from a backup, or move it away once no rotation needs it',
      },
    );
  }
  for (const entry of Object.values(result.data.entries)) {
    // So that redact() knows them before anything else happens.
    for (const value of [entry.old, entry.new, ...entry.rest]) rememberSecrets(value, entry.exposure);
  }
  return { path, entries: result.data.entries, bytes };
}

/** Of a pair also the password alone: that is what others repeat in their messages. */
function rememberSecrets(value: string, { style }: Entry['exposure']): void {
  new SecretValue(value);
  if (style === 'pair') new SecretValue(parsePair(value)[1]);
}

/** Writes the entries, 0600; with none left the file goes. @throws KeyturnError as replaceFile, or what `guard` throws. */
export async function saveSidecar(
  sidecar: Sidecar,
  entries: Readonly<Record<string, Entry>>,
  { guard, faultPoint }: Pick<Replacement, 'guard' | 'faultPoint'>,
): Promise<void> {
  const guardBoth = async () => {
    await guard();
    const now = await readNoFollow(sidecar.path);
    if (!(now && sidecar.bytes ? now.equals(sidecar.bytes) : now === sidecar.bytes)) {
      throw new KeyturnError('changed-meanwhile', `${sidecar.path} was changed by someone else`, { retryable: true });
    }
  };
  const hook = faultPoint && ((name: string) => faultPoint(`sidecar: ${name}`));
  const how = { path: sidecar.path, guard: guardBoth, ...(hook && { faultPoint: hook }) };
  if (Object.keys(entries).length > 0) {
    const content = Buffer.from(`${JSON.stringify({ version: 1, entries }, null, 2)}\n`, 'utf8');
    await replaceFile({ ...how, content, mode: 0o600 });
  } else if (sidecar.bytes !== null) {
    await removeFile(how);
  }
}

async function readNoFollow(path: string): Promise<Buffer | null> {
  try {
    return await readRegular(path, LARGEST_SIDECAR, constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    if (errorCode(error) === 'ELOOP') throw new KeyturnError('not-writable', `${path} must not be a symlink`);
    throw fileError(error, `read ${path}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
