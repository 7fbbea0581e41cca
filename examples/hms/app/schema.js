import { USERS_TABLE } from '../../lib/users.js';

/** A login opens a token family; every refresh token belongs to one, and a revoked family takes all its tokens with it. */
export const MIGRATIONS = `
  ${USERS_TABLE}
  CREATE TABLE IF NOT EXISTS token_families (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_because text
  );
  CREATE TABLE IF NOT EXISTS refresh_tokens (
    hash text PRIMARY KEY,
    family uuid NOT NULL REFERENCES token_families ON DELETE CASCADE,
    issued_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
  );
  CREATE TABLE IF NOT EXISTS impersonations (
    id uuid PRIMARY KEY,
    administrator bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    subject bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
  );
  CREATE TABLE IF NOT EXISTS audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    username text,
    detail text,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX IF NOT EXISTS audit_log_action ON audit_log (action, id DESC);
  CREATE TABLE IF NOT EXISTS bookings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    title text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
`;
