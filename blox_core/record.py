"""A value whose fields obey rules, and which comes back from JSON as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Self, get_origin, get_type_hints

from blox_core.errors import BloxError
from blox_core.rules import Rule


@dataclass(frozen=True, kw_only=True)
class Record:
    """The base of frozen dataclasses of which every field is `Annotated` with its rule.

    `noun` and `error` name and are what is raised where one is broken.
    """

    _noun: ClassVar[str]
    _error: ClassVar[type[BloxError]]
    _rules: ClassVar[Mapping[str, Rule]]
    _tuples: ClassVar[frozenset[str]]

    def __init_subclass__(cls, *, noun: str, error: type[BloxError]) -> None:
        cls._noun, cls._error = noun, error
        hints = get_type_hints(cls, include_extras=True).items()
        checked = {name: hint for name, hint in hints if get_origin(hint) is Annotated}
        cls._rules = {name: hint.__metadata__[0] for name, hint in checked.items()}
        cls._tuples = frozenset(
            name for name, hint in checked.items() if get_origin(hint.__origin__) is tuple
        )

    def __post_init__(self) -> None:
        for field in fields(self):
            self.check(field.name, getattr(self, field.name))
        self._check_together()

    def _check_together(self) -> None:
        """Raise the error where values that are allowed alone do not go together."""

    @classmethod
    def check(cls, name: str, value: object) -> None:
        """Raise the error unless a field of this name may have this value."""
        allowed, is_allowed = cls._rules[name]
        if not is_allowed(value):
            raise cls._refusal(name, value, allowed)

    @classmethod
    def _refusal(cls, name: str, value: object, allowed: str) -> BloxError:
        return cls._error(f"{cls._noun} field {name} = {value!r}: {allowed} is allowed")

    @property
    def fingerprint(self) -> str:
        """The sha256 (hex) of all fields as JSON with sorted keys; it changes with any number."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON holds exactly."""
        return {field.name: _as_lists(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the value of what `to_dict` gave, also after a way through JSON.

        Raises the error for keys that are missing or unknown, and for values not allowed.
        """
        if not isinstance(values, Mapping):
            raise cls._error(f"{cls._noun} {values!r:.40}: an object of its fields is allowed")
        if wrong := cls._rules.keys() ^ values.keys():
            raise cls._error(
                f"{cls._noun} fields missing or unknown: {', '.join(sorted(map(str, wrong)))}; "
                f"exactly these are allowed: {', '.join(sorted(cls._rules))}"
            )
        tuples = {name: _as_tuples(values[name]) for name in cls._tuples}
        return cls(**{**values, **tuples})


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
