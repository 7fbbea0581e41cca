/** A question asked once. `passed: false` is an answer, not an error; a check that cannot even be asked answers `false` too. */
import type { Server } from '../databases/server.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { CredentialRef } from '../domain/specs/common.js';
import type { DatabaseRef } from '../domain/specs/database.js';

export interface CheckContext {
  readonly signal: AbortSignal;
  /** Asked as a login that has nothing to give: SQL of the inventory runs code of the application. Closed by who made the context. */
  readonly serverOf: (ref: DatabaseRef) => Promise<Server>;
  /** @throws KeyturnError `credential-missing` naming the variable or file. */
  readonly resolveCredential: (ref: CredentialRef) => Promise<SecretValue>;
}

export interface CheckAnswer {
  readonly passed: boolean;
  /** What was seen, redacted, one line: `GET http://…/api/health answered 503, expected 200`. */
  readonly summary: string;
  /** What a flow captured. Never leaves the process. */
  readonly captured?: ReadonlyMap<string, SecretValue>;
}
