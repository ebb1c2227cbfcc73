"""What fields of recipes may hold, where others ask for it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

from blox_core.errors import RecipeError
from blox_core.rules import Rule, int_from, is_float, positive_even

DATASETS: Final = ("cifar100", "cifar10", "digits")
PRECISIONS: Final = ("fp64", "fp32", "tf32", "bf16")
SCHEDULES: Final = ("cosine",)
# Three reductions halve the image; the last one needs 2 x 2 pixels.
MIN_RESOLUTION: Final = 8
# Release files hold seeds as u32; numpy's RandomState takes no larger ones either.
SEED_LIMIT: Final = 2**32

# The narrowest bottleneck of bconv halves the channels.
StemChannels: TypeAlias = Annotated[int, positive_even()]
Classes: TypeAlias = Annotated[int, int_from(2)]
Resolution: TypeAlias = Annotated[int, int_from(MIN_RESOLUTION)]


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
