"""Rules for the fields of values: what one may hold, in words and as a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, TypeGuard

from blox_core.errors import BloxError

Rule = tuple[str, Callable[[Any], bool]]


@dataclass(frozen=True, kw_only=True)
class FieldRules:
    """The rule of every field of a kind of value; `noun` and `error` name what breaks one."""

    noun: str
    error: type[BloxError]
    rules: Mapping[str, Rule]

    def check(self, name: str, value: object) -> None:
        """Raise the error unless a field of this name may have this value."""
        allowed, is_allowed = self.rules[name]
        if not is_allowed(value):
            raise self.refusal(name, value, allowed)

    def check_names(self, values: Mapping[str, Any]) -> None:
        """Raise the error unless the values are a mapping whose keys are exactly the fields."""
        if not isinstance(values, Mapping):
            raise self.error(f"{self.noun} {values!r:.40}: an object of its fields is allowed")
        if wrong := self.rules.keys() ^ values.keys():
            raise self.error(
                f"{self.noun} fields missing or unknown: {', '.join(sorted(map(str, wrong)))}; "
                f"exactly these are allowed: {', '.join(sorted(self.rules))}"
            )

    def refusal(self, name: str, value: object, allowed: str) -> BloxError:
        """Return the error that names a field, its value and what is allowed."""
        return self.error(f"{self.noun} field {name} = {value!r}: {allowed} is allowed")


def is_int(value: Any) -> TypeGuard[int]:
    """Return whether a value is an integer, which True is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_float(value: Any) -> bool:
    """Return whether a value is a float, and finite."""
    return isinstance(value, float) and isfinite(value)


def int_from(low: int, *, below: float = inf) -> Rule:
    """Allow integers from `low` to below `below`."""
    words = f"an integer of {low} or more" + (f" below {below}" if below < inf else "")
    return words, lambda value: is_int(value) and low <= value < below


def float_where(words: str, holds: Callable[[float], bool]) -> Rule:
    """Allow finite floats for which something holds, as the words say."""
    return f"a float {words}", lambda value: is_float(value) and holds(value)


def one_of(*names: str) -> Rule:
    """Allow these strings."""
    return f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names


def text() -> Rule:
    """Allow strings."""
    return "a string", lambda value: isinstance(value, str)


def flag() -> Rule:
    """Allow True and False."""
    return "True or False", lambda value: isinstance(value, bool)


def positive_even() -> Rule:
    """Allow even integers of 2 or more."""
    return "a positive even integer", lambda value: is_int(value) and value > 0 and value % 2 == 0


def or_none(rule: Rule) -> Rule:
    """Allow None beside what a rule allows."""
    words, is_allowed = rule
    return f"{words}, or None", lambda value: value is None or is_allowed(value)
