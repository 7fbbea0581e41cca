"""Which keys the application refuses to start with. Nothing here repeats a key."""

import base64
import re

PLACEHOLDER = re.compile(
    r"change.?me|replace.?(me|this|with)|placeholder|your[-_ ]|example|^<.*>$|^(secret|password|todo|xxx)", re.IGNORECASE
)
TEST_VALUE = re.compile(r"^test[-_]", re.IGNORECASE)
FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


def signing_key_problem(key: str, development: bool) -> str | None:
    """`openssl rand -hex 32` has 64 characters; 32 is the least."""
    if len(key) < 32:
        return f"must have at least 32 characters, it has {len(key)}"
    if PLACEHOLDER.search(key) or len(set(key)) < 6:
        return "is a placeholder"
    if TEST_VALUE.match(key) and not development:
        return "is a test value; those are for APP_ENV=development"
    return None


def fernet_key_problem(key: str) -> str | None:
    if PLACEHOLDER.search(key):
        return "is a placeholder"
    # Stricter than the library, which passes over characters that do not belong there.
    if not FERNET_KEY.fullmatch(key):
        return "is not a Fernet key: 32 bytes as 44 characters of URL-safe base64"
    if len(set(base64.urlsafe_b64decode(key))) < 8:
        return "is a placeholder"
    return None
