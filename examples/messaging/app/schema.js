import { USERS_TABLE } from '../../lib/users.js';

/**
 * Each applied once, in this order, as whichever role the application signs in with. A refresh token is known by its id (`jti`)
 * only: who reads the table still lacks the signature.
 */
export const MIGRATIONS = [
  USERS_TABLE,
  `CREATE TABLE sign_ins (
     id uuid PRIMARY KEY,
     user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
     created_at timestamptz NOT NULL DEFAULT now(),
     expires_at timestamptz NOT NULL,
     revoked_at timestamptz,
     revoked_because text
   );
   CREATE INDEX sign_ins_user ON sign_ins (user_id, expires_at)`,
  `CREATE TABLE refresh_tokens (
     id uuid PRIMARY KEY,
     sign_in uuid NOT NULL REFERENCES sign_ins ON DELETE CASCADE,
     issued_at timestamptz NOT NULL DEFAULT now(),
     used_at timestamptz
   );
   CREATE INDEX refresh_tokens_sign_in ON refresh_tokens (sign_in)`,
  `CREATE TABLE messages (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     sender bigint NOT NULL REFERENCES users ON DELETE CASCADE,
     recipient bigint NOT NULL REFERENCES users ON DELETE CASCADE,
     text text NOT NULL,
     sent_at timestamptz NOT NULL DEFAULT now()
   );
   CREATE INDEX messages_inbox ON messages (recipient, id DESC);
   CREATE INDEX messages_sent_at ON messages (sent_at)`,
];
