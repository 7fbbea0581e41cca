/** What the operating system says about a file, as a KeyturnError. */
import { KeyturnError, type Effect } from '../../domain/errors.js';
import { redact } from '../../domain/secret-value.js';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room and run again',
  EDQUOT: 'the disk quota is used up: make room and run again',
  EACCES: 'let the worker’s user write the file and its directory',
  EPERM: 'let the worker’s user write the file and its directory, and give files the same owner',
  EROFS: 'the file system is read-only',
  EBUSY: 'mount the directory that holds the file, not the file itself: a mounted file cannot be replaced',
};
const PASSES_BY_ITSELF = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EAGAIN', 'EINTR', 'EIO', 'ESTALE']);

/** Passes a KeyturnError on. `ENOENT` becomes `not-found`, everything else `not-writable`. */
export function fileError(error: unknown, doing: string, effect: Effect = 'none'): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const code = errorCode(error) ?? 'unknown error';
  const hint = HINTS[code];
  return new KeyturnError(code === 'ENOENT' ? 'not-found' : 'not-writable', redact(`cannot ${doing}: ${code}`), {
    effect,
    retryable: PASSES_BY_ITSELF.has(code),
    ...(hint === undefined ? {} : { hint }),
  });
}

export function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
