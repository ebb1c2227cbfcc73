"""Settings from the environment: `BLOX_*` variables, read by commands and never on import."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from blox_store.errors import SettingsError
from blox_store.passwords import without_passwords

PREFIX = "BLOX_"


class BloxSettings(BaseSettings):
    """Settings from variables that begin with `BLOX_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)


class StoreSettings(BloxSettings):
    """Where the store is."""

    database_url: str = "sqlite:///blox.db"


AnySettings = TypeVar("AnySettings", bound=BaseSettings)


def read_settings(kind: type[AnySettings]) -> AnySettings:
    """Return the settings; raise SettingsError, quoting the variable and its value, if one is bad."""
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(map(str, first["loc"]))
        shown = without_passwords(repr(first["input"]))
        got = f"{PREFIX}{name.upper()}={shown}: " if name else ""
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{got}{message}") from error
