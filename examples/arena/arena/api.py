"""The application: who signs in, what is asked for, and with which credentials it is collected."""

import os
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import ConnectionPool
from pydantic import BaseModel, Field

from .counters import Counters
from .database import UNREADABLE, answers, authenticate
from .keyring import InvalidToken, Keyring
from .settings import Settings
from .tokens import Tokens


class User(BaseModel):
    id: int
    username: str
    role: str


class Login(BaseModel):
    username: str = Field(max_length=200)
    password: str = Field(max_length=200)


class NewQuery(BaseModel):
    title: str = Field(min_length=1, max_length=200)


class NewCredential(BaseModel):
    value: str = Field(min_length=1, max_length=4_000)
    name: str = Field(default="default", min_length=1, max_length=200)


def create_app(settings: Settings, pool: ConnectionPool, counters: Counters) -> FastAPI:
    app = FastAPI(title="arena", docs_url=None, redoc_url=None, openapi_url=None)
    tokens = Tokens(settings.signing_keys, settings.access_token_expire_minutes)
    keyring = Keyring(settings.encryption_keys)
    generation = int(os.environ.get("GENERATION", "0"))

    def who(request: Request) -> User:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user_id = tokens.user_of(token) if scheme.lower() == "bearer" else None
        if user_id is not None:
            with pool.connection() as connection:
                row = connection.execute("SELECT id, username, role FROM users WHERE id = %s", (user_id,)).fetchone()
            if row:
                return User(id=row[0], username=row[1], role=row[2])
        raise HTTPException(401, "not signed in")

    def administrator(user: Annotated[User, Depends(who)]) -> User:
        if user.role != "admin":
            raise HTTPException(403, "for administrators")
        return user

    def issued(user_id: int) -> dict[str, Any]:
        lifetime = int(tokens.lifetime.total_seconds())
        return {"accessToken": tokens.issue(user_id), "tokenType": "bearer", "expiresIn": lifetime}

    Who = Annotated[User, Depends(who)]
    Administrator = Annotated[User, Depends(administrator)]

    @app.post("/api/auth/login")
    def login(login: Login) -> dict[str, Any]:
        with pool.connection() as connection:
            found = authenticate(connection, login.username, login.password)
        if not found:
            raise HTTPException(401, "wrong user name or password")
        user_id, role = found
        return {**issued(user_id), "user": {"username": login.username, "role": role}}

    # While a token is valid it can be exchanged for the next one: whoever is active stays signed in.
    @app.post("/api/auth/renew")
    def renew(user: Who) -> dict[str, Any]:
        return issued(user.id)

    @app.get("/api/me")
    def me(user: Who) -> dict[str, Any]:
        return {"user": {"username": user.username, "role": user.role}}

    @app.get("/api/queries")
    def queries(user: Who) -> dict[str, Any]:
        with pool.connection() as connection:
            rows = connection.execute(
                "SELECT id, title FROM query_designs WHERE owner = %s ORDER BY id DESC LIMIT 20", (user.id,)
            ).fetchall()
        return {"queries": [{"id": row[0], "title": row[1]} for row in rows]}

    @app.post("/api/queries", status_code=201)
    def add_query(query: NewQuery, user: Who) -> dict[str, Any]:
        with pool.connection() as connection:
            row = connection.execute(
                "INSERT INTO query_designs (owner, title) VALUES (%s, %s) RETURNING id", (user.id, query.title)
            ).fetchone()
        return {"id": row[0] if row else None}

    @app.get("/api/arenas")
    def arenas(user: Who) -> dict[str, Any]:
        with pool.connection() as connection:
            rows = connection.execute(
                "SELECT platform, tier, enabled, last_error FROM arenas ORDER BY platform"
            ).fetchall()
        return {"arenas": [dict(zip(("platform", "tier", "enabled", "lastError"), row)) for row in rows]}

    # The application's own decryption check: every stored credential, with the keys that it runs on.
    @app.get("/api/arenas/health")
    def health() -> JSONResponse:
        well = {"status": "ok", "database": "ok", "generation": generation, "instance": os.getpid()}
        if not answers(pool):
            return JSONResponse({**well, "status": "degraded", "database": "unreachable"}, 503)
        with pool.connection() as connection, connection.cursor("credentials") as cursor:
            cursor.execute("SELECT id, encrypted_value FROM api_credentials ORDER BY id")
            readable = {row[0]: keyring.reads(row[1]) for row in cursor}
        unreadable = [id for id, reads in readable.items() if not reads]
        credentials = {"total": len(readable), "unreadable": len(unreadable), "ids": unreadable[:20]}
        status = "degraded" if unreadable else "ok"
        return JSONResponse({**well, "status": status, "credentials": credentials}, 503 if unreadable else 200)

    # For whoever only wants to know whether anybody listens.
    @app.get("/api/live")
    def live() -> dict[str, Any]:
        return {"generation": generation, "instance": os.getpid()}

    # Collects once, now, from every enabled arena: uses all their credentials as the worker does.
    @app.post("/api/arenas/collect")
    def collect_all(user: Who) -> dict[str, Any]:
        with pool.connection() as connection:
            rows = connection.execute(
                "SELECT platform, encrypted_value FROM api_credentials JOIN arenas USING (platform) WHERE enabled"
            ).fetchall()
        readable = [keyring.reads(value) for _, value in rows]
        return {
            "arenas": len({platform for platform, _ in rows}),
            "credentials": len(rows),
            "unreadable": readable.count(False),
        }

    # Collects once, now: uses the platform's credential as the worker does.
    @app.post("/api/arenas/{platform}/collect")
    def collect(platform: str, user: Who) -> dict[str, Any]:
        with pool.connection() as connection:
            arena = connection.execute("SELECT enabled FROM arenas WHERE platform = %s", (platform,)).fetchone()
            row = connection.execute(
                "SELECT encrypted_value FROM api_credentials WHERE platform = %s AND credential_name = 'default'",
                (platform,),
            ).fetchone()
        if not arena:
            raise HTTPException(404, "no such arena")
        if not arena[0]:
            raise HTTPException(409, "this arena is disabled")
        if not row:
            raise HTTPException(409, "this arena has no credential")
        try:
            used = keyring.decrypt(row[0])
        except InvalidToken:
            raise HTTPException(502, "the credential cannot be read: enter it again") from None
        return {"platform": platform, "usedCharacters": len(used)}

    @app.get("/api/admin/credentials")
    def credentials(user: Administrator) -> dict[str, Any]:
        with pool.connection() as connection:
            rows = connection.execute(
                "SELECT id, platform, credential_name, encrypted_value FROM api_credentials ORDER BY id"
            ).fetchall()
        return {
            "credentials": [
                {"id": row[0], "platform": row[1], "name": row[2], "readable": keyring.reads(row[3])} for row in rows
            ]
        }

    @app.put("/api/admin/credentials/{platform}")
    def enter_credential(platform: str, credential: NewCredential, user: Administrator) -> dict[str, Any]:
        with pool.connection() as connection:
            if not connection.execute("SELECT 1 FROM arenas WHERE platform = %s", (platform,)).fetchone():
                raise HTTPException(404, "no such arena")
            row = connection.execute(
                "INSERT INTO api_credentials (platform, credential_name, encrypted_value) VALUES (%s, %s, %s)"
                " ON CONFLICT (platform, credential_name)"
                " DO UPDATE SET encrypted_value = excluded.encrypted_value, updated_at = now() RETURNING id",
                (platform, credential.name, keyring.encrypt(credential.value)),
            ).fetchone()
        return {"id": row[0] if row else None, "platform": platform, "name": credential.name}

    def switch(platform: str, enabled: bool) -> dict[str, Any]:
        with pool.connection() as connection:
            changed = connection.execute(
                "UPDATE arenas SET enabled = %s WHERE platform = %s", (enabled, platform)
            ).rowcount
        if not changed:
            raise HTTPException(404, "no such arena")
        return {"platform": platform, "enabled": enabled}

    # After a lost key: the arenas that were switched off because a credential could not be read, as far as all of theirs
    # read now. Who calls it again changes nothing.
    @app.post("/api/admin/arenas/enable")
    def enable_affected(user: Administrator) -> dict[str, Any]:
        with pool.connection() as connection:
            affected = connection.execute(
                "SELECT platform FROM arenas WHERE NOT enabled AND last_error = %s ORDER BY platform", (UNREADABLE,)
            ).fetchall()
            enabled = []
            for (platform,) in affected:
                values = connection.execute(
                    "SELECT encrypted_value FROM api_credentials WHERE platform = %s", (platform,)
                ).fetchall()
                if values and all(keyring.reads(value) for (value,) in values):
                    connection.execute(
                        "UPDATE arenas SET enabled = true, last_error = NULL WHERE platform = %s", (platform,)
                    )
                    enabled.append(platform)
        return {"enabled": enabled, "left": [platform for (platform,) in affected if platform not in enabled]}

    @app.post("/api/admin/arenas/{platform}/enable")
    def enable(platform: str, user: Administrator) -> dict[str, Any]:
        return switch(platform, True)

    @app.post("/api/admin/arenas/{platform}/disable")
    def disable(platform: str, user: Administrator) -> dict[str, Any]:
        return switch(platform, False)

    @app.get("/api/metrics")
    def metrics() -> dict[str, Any]:
        with pool.connection() as connection:
            row = connection.execute("SELECT rounds, credentials_read, failures FROM collection_totals").fetchone()
        return {
            "responses": counters.totals(),
            "collection": dict(zip(("rounds", "credentialsRead", "failures"), row or (0, 0, 0))),
        }

    # FastAPI's own answer repeats what was sent: a password, a credential.
    @app.exception_handler(RequestValidationError)
    def bad_request(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "bad request"}, 400)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code)

    return app
