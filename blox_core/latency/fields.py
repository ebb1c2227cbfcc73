"""Checks of what a value of latencies is made of, alone and on its way from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from blox_core.errors import LatencyError
from blox_core.rules import Rule


def check_fields(value: Any, noun: str, rules: Mapping[str, Rule]) -> None:
    """Raise LatencyError unless every field of a dataclass's instance obeys its rule."""
    for name, (allowed, is_allowed) in rules.items():
        if not is_allowed(getattr(value, name)):
            raise refusal(noun, name, getattr(value, name), allowed)


def check_names(kind: type[Any], noun: str, values: Mapping[str, Any]) -> None:
    """Raise LatencyError unless the values are a mapping whose keys are a dataclass's fields."""
    if not isinstance(values, Mapping):
        raise LatencyError(f"{noun} {values!r:.40}: an object of its fields is allowed")
    known = {field.name for field in fields(kind)}
    if wrong := known.symmetric_difference(values):
        raise LatencyError(
            f"{noun} fields missing or unknown: {', '.join(sorted(map(str, wrong)))}; "
            f"exactly these are allowed: {', '.join(sorted(known))}"
        )


def refusal(noun: str, name: str, value: object, allowed: str) -> LatencyError:
    """Return the error that names a field, its value and what is allowed."""
    return LatencyError(f"{noun} field {name} = {value!r}: {allowed} is allowed")
