/** Which workflow type carries out the rotation of which kind of secret. */
import { KeyturnError } from '../domain/errors.js';
import { WORKFLOW_TYPES } from '../domain/messages.js';
import type { SecretKind } from '../domain/specs/secret.js';

const RUNBOOKS: Partial<Record<SecretKind, string>> = {
  session: WORKFLOW_TYPES.session,
  signing: WORKFLOW_TYPES.session,
  token: WORKFLOW_TYPES.session,
  database: WORKFLOW_TYPES.database,
  encryption: WORKFLOW_TYPES.encryption,
};

/** @throws KeyturnError `no-runbook` when this version has none for the kind. */
export function runbookFor(kinds: readonly SecretKind[]): string {
  const missing = kinds.find((kind) => RUNBOOKS[kind] === undefined);
  const [first] = kinds;
  const runbook = first && RUNBOOKS[first];
  if (missing !== undefined || runbook === undefined) {
    throw new KeyturnError('no-runbook', `this version has no runbook for kind "${missing ?? 'unknown'}"`, {
      hint: `kinds with one: ${Object.keys(RUNBOOKS).join(', ')}`,
    });
  }
  return runbook;
}
