import { KeyturnError } from '../domain/errors.js';

/**
 * Effect unknown: some containers may have been replaced before it failed. Retryable: deploying twice ends as deploying once.
 * @param lines already clean; the last one usually says why, and `diagnose` shows the others.
 */
export function deployFailed(what: string, lines: readonly string[], hint: string): KeyturnError {
  const why = lines.at(-1);
  const message = why === undefined ? what : `${what}: ${why}`;
  return new KeyturnError('deploy-failed', message, { effect: 'unknown', retryable: true, hint });
}
