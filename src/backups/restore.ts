/** Opening archives with what people offer: for the worst hour, and for a run that looks for a lost key. */
import { KeyturnError } from '../domain/errors.js';
import { decodeContents, type Contents } from './contents.js';
import { readWhole } from './manifest.js';
import { formatOf, type OfferedKeys } from './open-format.js';
import { isPart, joinParts } from './qr-parts.js';

export type { Contents, ArchivedValue } from './contents.js';
export type { OfferedKeys } from './open-format.js';

/**
 * Changes nothing.
 * @throws KeyturnError `archive-malformed` (no archive of Keyturn), `archive-damaged`, `wrong-key`, `key-missing`, `key-malformed`.
 */
export async function restore(archive: Uint8Array, keys: OfferedKeys, signal: AbortSignal): Promise<Contents> {
  const plaintext = await formatOf(archive, keys).decrypt(archive, signal);
  try {
    return decodeContents(plaintext);
  } finally {
    plaintext.fill(0);
  }
}

/**
 * One archive from its file, or from files with the texts of its scanned codes, in any order.
 * @throws KeyturnError `not-found`, `archive-malformed` for parts that do not belong together.
 */
export async function readArchive(files: readonly string[]): Promise<Buffer> {
  const read = await Promise.all(
    files.map(async (file) => {
      const bytes = await readWhole(file);
      if (bytes === null) throw new KeyturnError('not-found', `there is no file ${file}`);
      return bytes;
    }),
  );
  const [only] = read;
  if (only && read.length === 1 && !isPart(only.toString('latin1'))) return only;
  return Buffer.from(joinParts(read.map((bytes) => bytes.toString('latin1'))), 'latin1');
}
