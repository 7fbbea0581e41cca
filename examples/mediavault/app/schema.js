import { USERS_TABLE } from '../../lib/users.js';

export const MIGRATIONS = `
  ${USERS_TABLE}
  CREATE TABLE IF NOT EXISTS user_sessions (
    sid text PRIMARY KEY,
    sess json NOT NULL,
    expire timestamp(6) NOT NULL
  );
  CREATE INDEX IF NOT EXISTS user_sessions_expire ON user_sessions (expire);
  CREATE TABLE IF NOT EXISTS activity_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL,
    username text,
    detail text,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX IF NOT EXISTS activity_log_action ON activity_log (action, id DESC);
  CREATE TABLE IF NOT EXISTS app_integrations (
    provider text PRIMARY KEY,
    api_key_encrypted text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE IF NOT EXISTS media_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    title text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
`;
