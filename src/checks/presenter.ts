import type { JoseHeader } from '../domain/jose-header.js';
import type { SecretValue } from '../domain/secret-value.js';
import type { Outgoing } from './http-client.js';

/** Presents a credential made with any value, as its holder would. */
export interface Presenter {
  /** What the application itself issued; null where the value itself is the credential. */
  readonly issued: Issued | null;
  /** What is in the genuine credential, signed again with `key`; a token under another header, where one is given. */
  readonly forge: (key: SecretValue, header?: JoseHeader) => Outgoing;
}

export interface Issued {
  /** The request with it. */
  readonly request: Outgoing;
  /** Of a token. */
  readonly header: JoseHeader | null;
  readonly signedWith: (key: SecretValue) => boolean;
}
