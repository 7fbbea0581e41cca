/**
 * What stands beside an archive, without values: what it holds, the SHA-256 of its file, and when its restore was proven. It is
 * sealed (seal.ts), since rotations rely on it: whoever can write to the directory could otherwise make a
 * proof out of nothing.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../domain/canonical-json.js';
import { KeyturnError } from '../domain/errors.js';
import { SECRET_KINDS } from '../domain/specs/secret.js';
import { errorCode, fileError } from '../stores/files/file-errors.js';
import { readRegular } from '../processes/read-regular.js';
import { replaceFile } from '../stores/files/replace-file.js';
import { LARGEST_ARCHIVE } from './archive-format.js';
import type { ArchivePlace } from './places.js';
import type { Sealer } from './seal.js';

const time = z.iso.datetime();

const schema = z.strictObject({
  keyturn: z.literal('backup manifest'),
  format: z.literal(1),
  /** `SYSTEM/ENV/NAME`. */
  backup: z.string(),
  requestId: z.string(),
  encryption: z.enum(['age', 'gpg']),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: time,
  /** When it was read back, decrypted and compared; null: it does not count. */
  provenAt: time.nullable(),
  /** Why it could not be proven. */
  unproven: z.string().nullable(),
  secrets: z.array(
    z.strictObject({
      ref: z.string(),
      version: z.enum(['current', 'pending', 'previous']),
      kind: z.enum(SECRET_KINDS),
      fingerprint: z.string(),
    }),
  ),
});
export type Manifest = z.infer<typeof schema>;

const sealedSchema = schema.extend({ seal: z.string() });

/** What is found where a manifest should be. */
export type ManifestFound =
  | { readonly state: 'sealed'; readonly manifest: Manifest }
  /** It can be read, and its seal is not this worker's: somebody altered it, or the fingerprint key is another one now. */
  | { readonly state: 'altered'; readonly manifest: Manifest }
  | { readonly state: 'unreadable' }
  | { readonly state: 'missing' };

export type FaultPoint = (name: string) => Promise<void> | void;

/** @throws KeyturnError as `replaceFile`. */
export async function writeManifest(
  path: string,
  manifest: Manifest,
  { seals, faultPoint }: { seals: Sealer; faultPoint?: FaultPoint },
): Promise<void> {
  const sealed = { ...manifest, seal: seals.seal(canonicalJson(manifest)) };
  const content = Buffer.from(`${JSON.stringify(sealed, null, 2)}\n`, 'utf8');
  const told: FaultPoint = (name) => faultPoint?.(`manifest ${name}`);
  await replaceFile({ path, content, mode: 0o600, guard: () => Promise.resolve(), faultPoint: told });
}

/** @throws KeyturnError `not-writable` when there is a file that cannot be read. */
export async function readManifest(path: string, seals: Sealer): Promise<ManifestFound> {
  const bytes = await readWhole(path).catch((error: unknown) => {
    if (error instanceof KeyturnError && ['not-a-file', 'too-large'].includes(error.code)) return 'unreadable' as const;
    throw error;
  });
  if (bytes === null) return { state: 'missing' };
  if (bytes === 'unreadable') return { state: 'unreadable' };
  const found = sealedSchema.safeParse(parse(bytes));
  if (!found.success) return { state: 'unreadable' };
  const { seal, ...manifest } = found.data;
  return { state: seals.fits(canonicalJson(manifest), seal) ? 'sealed' : 'altered', manifest };
}

/** @returns null when there is no such file. @throws KeyturnError `not-writable`, and as readRegular. */
export async function readWhole(path: string): Promise<Buffer | null> {
  try {
    return await readRegular(path, LARGEST_ARCHIVE);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw fileError(error, `read ${path}`);
  }
}

/** Whether the archive beside a manifest is the one that it speaks of. */
export async function isUnchanged(place: ArchivePlace, manifest: Manifest): Promise<boolean> {
  const bytes = await readWhole(place.archive);
  return bytes !== null && sha256(bytes) === manifest.sha256;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
