"""The API's settings, which are checked at its start and can be printed without secrets.

A value comes from the environment (`COMMONWATT_API_…`), else from a TOML file, else it is the
default. If a setting is unknown or out of bounds, the API does not start, and a sentence names the
setting.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import annotated_types
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

PREFIX = "COMMONWATT_API_"

_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/@]*):[^@/]*@")

Seconds = Annotated[int, annotated_types.Ge(1), annotated_types.Le(31_536_000)]
Count = Annotated[int, annotated_types.Ge(1), annotated_types.Le(1_000_000)]


class SettingsInvalid(Exception):
    """A setting is invalid; the sentence names the setting but never shows its value."""


class ApiSettings(BaseSettings):
    """All settings; the description of each field has its meaning and unit."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8400, ge=0, le=65_535, description="Port; 0 takes a free one.")
    origins: tuple[str, ...] = Field(
        default=(),
        description="Origins whose pages may sign in and open sockets; empty: the API's own.",
    )
    audience: str = Field(
        default="",
        max_length=200,
        description="What login tokens must name as `aud`; empty: the first origin.",
    )
    read_model: SecretStr = Field(
        default=SecretStr("sqlite:///read-model.sqlite3"),
        description="Where the read model lives: `sqlite:///path` or `postgres://…`.",
    )
    signing_key: SecretStr | None = Field(
        default=None, description="Ed25519 key of the access tokens, PKCS#8 PEM; none: a new one."
    )
    signing_key_file: Path | None = Field(
        default=None, description="The same in a file that only its owner may read."
    )
    access_token_s: int = Field(
        default=600, ge=60, le=900, description="How long an access token holds, seconds."
    )
    challenge_s: int = Field(
        default=120, ge=10, le=600, description="How long a nonce may be used, seconds."
    )
    refresh_idle_s: Seconds = Field(
        default=43_200, description="After how long without a refresh a session ends, seconds."
    )
    session_s: Seconds = Field(default=604_800, description="How long a session lasts, seconds.")
    public_book: bool = Field(
        default=False,
        description="Whether strangers may read the depth of the book; a demonstration shows it.",
    )
    sessions_max: Count = Field(default=100_000, description="Sessions at once.")
    sockets_max: Count = Field(default=12_000, description="WebSockets at once.")
    connection_init_s: int = Field(
        default=5, ge=1, le=60, description="How soon a socket must introduce itself, seconds."
    )
    socket_idle_s: Seconds = Field(
        default=300, description="How long a socket without subscriptions stays, seconds."
    )
    ready_age_s: Seconds = Field(
        default=60, description="From which lag of the read model the API is not ready, seconds."
    )
    grace_s: int = Field(
        default=5, ge=0, le=300, description="What is running may finish in, when stopped, seconds."
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="Log lines for people or for machines."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged."
    )

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError("an origin is scheme://host[:port] and nothing behind it")
        return origins

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.signing_key is not None and self.signing_key_file is not None:
            raise ValueError("signing_key and signing_key_file name one key twice")
        if self.refresh_idle_s > self.session_s:
            raise ValueError("refresh_idle_s is longer than session_s")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order: arguments, environment, file."""
        del dotenv_settings, file_secret_settings
        file = TomlConfigSettingsSource(settings_cls)
        return (init_settings, env_settings, file)

    @property
    def own_origins(self) -> tuple[str, ...]:
        """The origins that are accepted: those of the setting, else the API's own addresses."""
        if self.origins:
            return self.origins
        hosts = {self.host, "127.0.0.1", "localhost"} - {"0.0.0.0", "::"}  # noqa: S104 left out
        return tuple(sorted(f"http://{host}:{self.port}" for host in hosts))

    @property
    def own_audience(self) -> str:
        """The audience that a login token must name."""
        return self.audience or self.own_origins[0]

    def printable(self) -> dict[str, object]:
        """Return every setting by name, with secrets and passwords hidden."""
        shown: dict[str, object] = json.loads(self.model_dump_json())
        shown["read_model"] = _PASSWORD.sub(
            r"\g<user>:**********@", self.read_model.get_secret_value()
        )
        return shown


def load_settings(file: Path | None = None) -> ApiSettings:
    """Return the settings from the environment and from the table `api` of a TOML file, if given.

    Raises `SettingsInvalid` for a file that cannot be read and for an invalid value.
    """

    class _FromFile(ApiSettings):
        model_config = SettingsConfigDict(toml_file=file, toml_table_header=("api",))

    if file is not None and not file.is_file():
        raise SettingsInvalid(f"{file} is no file.")
    try:
        found = _FromFile()
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise SettingsInvalid(f"{faults} (set as {PREFIX}… or in the file).") from None
    except SettingsError as error:
        raise SettingsInvalid(f"{error}: lists are written as JSON.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file} is no TOML: {error}.") from None
    return ApiSettings.model_validate(found.model_dump())
