"""A value whose fields obey rules, and which comes back from JSON as it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, Self

from blox_core.rules import FieldRules


@dataclass(frozen=True, kw_only=True)
class Record:
    """The base of frozen dataclasses; `_FIELDS` has the rule of every field."""

    _FIELDS: ClassVar[FieldRules]

    def __post_init__(self) -> None:
        for field in fields(self):
            self._FIELDS.check(field.name, getattr(self, field.name))

    @property
    def fingerprint(self) -> str:
        """The sha256 (hex) of all fields as JSON with sorted keys; it changes with any number."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON holds exactly."""
        return {field.name: _to_json(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the value of what `to_dict` gave, also after a way through JSON.

        Raises the error of its rules for keys that are missing or unknown, and for values not
        allowed.
        """
        cls._FIELDS.check_names(values)
        return cls(**{field.name: _from_json(field, values[field.name]) for field in fields(cls)})


def _to_json(value: Any) -> Any:
    return [_to_json(item) for item in value] if isinstance(value, tuple) else value


def _from_json(field: Field[Any], value: Any) -> Any:
    return _as_tuples(value) if str(field.type).startswith("tuple") else value


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
