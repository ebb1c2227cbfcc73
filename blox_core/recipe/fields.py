"""Rules that only recipes have: of seeds, and of a number for each colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from blox_core.errors import RecipeError
from blox_core.rules import Rule, is_float

# Release files hold seeds as u32; numpy's RandomState takes no larger ones either.
SEED_LIMIT: Final = 2**32


def check_seed(seed: int) -> None:
    """Raise RecipeError unless a training may have this seed."""
    if not 0 <= seed < SEED_LIMIT:
        raise RecipeError(f"seed {seed!r}: an integer of 0 or more below {SEED_LIMIT} is allowed")


def three_floats(words: str, holds: Callable[[float], bool]) -> Rule:
    """Allow tuples of a float for red, green and blue, for which something holds."""

    def is_allowed(value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != 3:
            return False
        return all(is_float(channel) and holds(channel) for channel in value)

    return f"a tuple of three floats {words}", is_allowed
