"""Settings from a dotenv file, from variables, and from mounted secret files (`X_FILE`)."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .strength import fernet_key_problem, signing_key_problem

# May come as a file: `SECRET_KEY_FILE=/run/secrets/secret_key`.
FROM_FILES = ("secret_key", "credential_encryption_key", "database_url")
# May be absent or empty: what was valid before, while a rotation overlaps.
PREVIOUS_FROM_FILES = ("secret_key_previous", "credential_encryption_key_previous")


class ConfigurationError(Exception):
    """Keeps the application from starting. Names the setting, never its value."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=os.environ.get("ENV_FILE") or None,
        env_file_encoding="utf-8",
        extra="ignore",
        # A ValidationError would print what it was given.
        hide_input_in_errors=True,
    )

    app_env: Literal["development", "production"] = "production"
    database_url: SecretStr
    # One key, or several with commas between them: the first signs, all are accepted.
    secret_key: SecretStr
    secret_key_previous: SecretStr = SecretStr("")
    # Likewise: the first encrypts, all decrypt.
    credential_encryption_key: SecretStr
    credential_encryption_key_previous: SecretStr = SecretStr("")
    access_token_expire_minutes: float = 30
    host: str = "127.0.0.1"
    port: int = 8000
    collect_every_seconds: float = 2
    smoke_password: SecretStr = SecretStr("")
    seed_users: str = ""
    seed_credentials: int = 0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # A shell that still exports last month's key must not undo a rotation: the file wins.
        return init_settings, dotenv_settings, env_settings

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for key in (*FROM_FILES, *PREVIOUS_FROM_FILES):
            variable = f"{key.upper()}_FILE"
            path = values.get(f"{key}_file") or os.environ.get(variable)
            if not path:
                continue
            try:
                values[key] = Path(path).read_text(encoding="utf-8").strip()
            except FileNotFoundError:
                if key not in PREVIOUS_FROM_FILES:
                    raise ValueError(f"{variable} names a file that does not exist") from None
                values[key] = ""
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{variable} cannot be read: {type(error).__name__}") from None
        return values

    @field_validator("access_token_expire_minutes", "collect_every_seconds")
    @classmethod
    def _more_than_nothing(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("must be more than nothing")
        return value

    @model_validator(mode="after")
    def _refuse_weak_keys(self) -> "Settings":
        development = self.app_env == "development"
        for name, keys, problem_of in (
            ("SECRET_KEY", self.signing_keys, lambda key: signing_key_problem(key, development)),
            ("CREDENTIAL_ENCRYPTION_KEY", self.encryption_keys, fernet_key_problem),
        ):
            if not keys:
                raise ValueError(f"{name} is not set")
            for key in keys:
                if problem := problem_of(key):
                    raise ValueError(f"{name} {problem}")
        if set(self.signing_keys) & set(self.encryption_keys):
            raise ValueError("SECRET_KEY and CREDENTIAL_ENCRYPTION_KEY must be different")
        return self

    @cached_property
    def signing_keys(self) -> list[str]:
        return _keys(self.secret_key, self.secret_key_previous)

    @cached_property
    def encryption_keys(self) -> list[str]:
        return _keys(self.credential_encryption_key, self.credential_encryption_key_previous)


def load_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        said = (
            f"{'.'.join(str(step).upper() for step in one['loc'])} {one['msg']}".strip()
            for one in error.errors(include_input=False, include_context=False, include_url=False)
        )
        raise ConfigurationError("; ".join(said).replace("Value error, ", "")) from None


def _keys(*sources: SecretStr) -> list[str]:
    keys = [key.strip() for source in sources for key in source.get_secret_value().split(",")]
    return list(dict.fromkeys(key for key in keys if key))
