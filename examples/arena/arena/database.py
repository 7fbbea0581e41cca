"""PostgreSQL: a small pool, the schema, and accounts and credentials to begin with."""

import hashlib
import hmac
import os
import secrets
import time

import psycopg
from psycopg_pool import ConnectionPool

from .keyring import Keyring
from .settings import ConfigurationError, Settings

# Any fixed number: instances that start together take turns with the schema.
SCHEMA_LOCK = 7_265_004
WAIT_SECONDS = 15
PLATFORMS = ("bluesky", "reddit", "serper", "tiktok")
# What the worker writes down of an arena, and what is looked for when it is switched on again.
UNREADABLE = "a credential cannot be read"

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  username text NOT NULL UNIQUE,
  role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  password_hash text NOT NULL
);
CREATE TABLE IF NOT EXISTS query_designs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner bigint NOT NULL REFERENCES users,
  title text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS arenas (
  platform text PRIMARY KEY,
  tier text NOT NULL CHECK (tier IN ('free', 'paid')),
  enabled boolean NOT NULL DEFAULT true,
  last_collected_at timestamptz,
  last_error text
);
CREATE TABLE IF NOT EXISTS api_credentials (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  platform text NOT NULL REFERENCES arenas,
  credential_name text NOT NULL DEFAULT 'default',
  encrypted_value text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (platform, credential_name)
);
CREATE TABLE IF NOT EXISTS collection_totals (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  rounds bigint NOT NULL DEFAULT 0,
  credentials_read bigint NOT NULL DEFAULT 0,
  failures bigint NOT NULL DEFAULT 0,
  last_round_at timestamptz
);
INSERT INTO collection_totals DEFAULT VALUES ON CONFLICT DO NOTHING;
"""


def open_database(settings: Settings, name: str) -> ConnectionPool:
    """Waits for a server that is still starting. Raises ConfigurationError, whose message holds no URL."""
    pool = ConnectionPool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=5,
        timeout=5,
        kwargs={"application_name": name, "connect_timeout": 5},
        check=ConnectionPool.check_connection,
        open=False,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            _prepare(settings)
            pool.open(wait=True, timeout=WAIT_SECONDS)
            return pool
        except psycopg.Error as error:
            if not isinstance(error, psycopg.OperationalError) or time.monotonic() > deadline:
                pool.close()
                # The driver's own text may quote the URL or a statement's values.
                raise ConfigurationError(f"the database refused: {type(error).__name__} {error.sqlstate or ''}") from None
            time.sleep(0.5)


def answers(pool: ConnectionPool) -> bool:
    try:
        with pool.connection(timeout=2) as connection:
            connection.execute("SELECT 1")
        return True
    except Exception:  # noqa: BLE001 - whatever the reason, it does not answer
        return False


def _prepare(settings: Settings) -> None:
    with psycopg.connect(settings.database_url.get_secret_value(), connect_timeout=5) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
        # Another role than the owner may use the tables, and may not make them.
        is_new = connection.execute("SELECT to_regclass('collection_totals')").fetchone() == (None,)
        if is_new:
            connection.execute(SCHEMA)
        for platform in PLATFORMS:
            connection.execute(
                "INSERT INTO arenas (platform, tier) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (platform, "paid" if platform in ("serper", "tiktok") else "free"),
            )
        _seed_users(connection, settings)
        # At the first start only: a table that a recovery has emptied is filled by people.
        if is_new:
            _seed_credentials(connection, settings)


def _seed_users(connection: psycopg.Connection, settings: Settings) -> None:
    """SMOKE_PASSWORD seeds the administrator `smoke` and the users named in SEED_USERS. No variable, no accounts."""
    password = settings.smoke_password.get_secret_value()
    if not password:
        return
    others = [name.strip() for name in settings.seed_users.split(",") if name.strip()]
    for username in ("smoke", *others):
        if authenticate(connection, username, password):
            continue
        connection.execute(
            "INSERT INTO users (username, role, password_hash) VALUES (%s, %s, %s)"
            " ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash",
            (username, "admin" if username == "smoke" else "user", _hash(password, os.urandom(16))),
        )


def _seed_credentials(connection: psycopg.Connection, settings: Settings) -> None:
    """SEED_CREDENTIALS invented ones, so that there is something to collect with."""
    keyring = Keyring(settings.encryption_keys)
    for index in range(settings.seed_credentials):
        platform = PLATFORMS[index % len(PLATFORMS)]
        name = "default" if index < len(PLATFORMS) else f"spare-{index}"
        connection.execute(
            "INSERT INTO api_credentials (platform, credential_name, encrypted_value) VALUES (%s, %s, %s)",
            (platform, name, keyring.encrypt(f"invented-{platform}-{secrets.token_hex(12)}")),
        )


def authenticate(connection: psycopg.Connection, username: str, password: str) -> tuple[int, str] | None:
    """The user's id and role."""
    row = connection.execute("SELECT id, role, password_hash FROM users WHERE username = %s", (username,)).fetchone()
    if row is None:
        return None
    user_id, role, stored = row
    salt = bytes.fromhex(stored.split(":")[1])
    return (user_id, role) if hmac.compare_digest(stored, _hash(password, salt)) else None


def _hash(password: str, salt: bytes) -> str:
    return f"scrypt:{salt.hex()}:{hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"
