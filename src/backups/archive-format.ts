/**
 * The contract of every way to encrypt an archive; test/contracts/archive-format.contract.ts is its suite.
 *
 * Archives are text (armored): they survive mail, print and a scanner. The plaintext is never on disk, and neither key nor
 * plaintext is ever in an argument or a variable of a process. All methods throw KeyturnError only, with effect `none`. Codes:
 * `key-malformed` (what was given is no identity, or no passphrase that can be used), `wrong-key` (it opens other archives, not
 * this one), `archive-damaged`, and `program-not-started` where a program does the work.
 */
import type { Evidence } from '../domain/evidence.js';

export type FormatName = 'age' | 'gpg';

export interface ArchiveFormat {
  readonly name: FormatName;
  /** Whether an archive that is made now can be opened again with what is at hand. Changes nothing. */
  preflight(signal: AbortSignal): Promise<Evidence>;
  encrypt(plaintext: Uint8Array, signal: AbortSignal): Promise<Buffer>;
  /** @param archive armored or not. */
  decrypt(archive: Uint8Array, signal: AbortSignal): Promise<Buffer>;
}

/** Of an archive's file. Both are armored. */
export const EXTENSIONS: Readonly<Record<FormatName, string>> = { age: 'age', gpg: 'asc' };

/** An archive holds a handful of values; whatever is larger is something else. */
export const LARGEST_ARCHIVE = 4_194_304;
