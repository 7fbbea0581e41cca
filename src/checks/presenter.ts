import type { SecretValue } from '../domain/secret-value.js';
import type { Outgoing } from './http-client.js';

/** Presents a credential made with any value, as its holder would. */
export interface Presenter {
  /** The same request with what the application itself issued; null where the value itself is the credential. */
  readonly genuine: Outgoing | null;
  /** What is in the genuine credential, signed again with `key`. */
  forge(key: SecretValue): Outgoing;
}
