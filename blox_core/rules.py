"""Rules for the fields of values: what one may hold, in words and as a test."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import Annotated, Any, TypeAlias, TypeGuard

Rule = tuple[str, Callable[[Any], bool]]


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


def positive_even() -> Rule:
    """Allow even integers of 2 or more."""
    return "a positive even integer", lambda value: is_int(value) and value > 0 and value % 2 == 0


def or_none(rule: Rule) -> Rule:
    """Allow None beside what a rule allows."""
    words, is_allowed = rule
    return f"{words}, or None", lambda value: value is None or is_allowed(value)


Text: TypeAlias = Annotated[str, ("a string", lambda value: isinstance(value, str))]
Flag: TypeAlias = Annotated[bool, ("True or False", lambda value: isinstance(value, bool))]
Count: TypeAlias = Annotated[int, int_from(1)]
