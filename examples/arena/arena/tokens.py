"""Access tokens: JWT, HS256. The first key signs, all are accepted, so that a rotation logs nobody out."""

from datetime import datetime, timedelta, timezone

import jwt

ALGORITHM = "HS256"


class Tokens:
    def __init__(self, keys: list[str], minutes: float) -> None:
        self._keys = keys
        self.lifetime = timedelta(minutes=minutes)

    def issue(self, user_id: int) -> str:
        now = datetime.now(timezone.utc)
        claims = {"sub": str(user_id), "iat": now, "exp": now + self.lifetime}
        return jwt.encode(claims, self._keys[0], algorithm=ALGORITHM)

    def user_of(self, token: str) -> int | None:
        """None for a token that is expired, of another key, unsigned or no token at all."""
        for key in self._keys:
            try:
                claims = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["sub", "iat", "exp"]})
                return int(claims["sub"])
            except (jwt.InvalidTokenError, ValueError):
                continue
        return None
