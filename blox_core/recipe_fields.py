"""What each field of a recipe may hold, in words and as a test."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite
from typing import Any, Final

from blox_core.errors import RecipeError

DATASETS: Final = ("cifar100", "cifar10", "digits")
PRECISIONS: Final = ("fp64", "fp32", "tf32", "bf16")
SCHEDULES: Final = ("cosine",)
# Three reductions halve the image; the last one needs 2 x 2 pixels.
MIN_RESOLUTION: Final = 8
# Release files hold seeds as u32; numpy's RandomState takes no larger ones either.
SEED_LIMIT: Final = 2**32

Rule = tuple[str, Callable[[Any], bool]]


def check_field(name: str, value: object) -> None:
    """Raise RecipeError unless a recipe field of this name may have this value."""
    allowed, is_allowed = _RULES[name]
    if not is_allowed(value):
        raise refusal(name, value, allowed)


def check_seed(seed: int) -> None:
    """Raise RecipeError unless a training may have this seed."""
    if not 0 <= seed < SEED_LIMIT:
        raise RecipeError(f"seed {seed!r}: an integer of 0 or more below {SEED_LIMIT} is allowed")


def refusal(name: str, value: object, allowed: str) -> RecipeError:
    """Return the error that names a recipe field, its value and what is allowed."""
    return RecipeError(f"recipe field {name} = {value!r}: {allowed} is allowed")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) and isfinite(value)


def _int_from(low: int, *, below: float = inf) -> Rule:
    words = f"an integer of {low} or more" + (f" below {below}" if below < inf else "")
    return words, lambda value: _is_int(value) and low <= value < below


def _float_where(words: str, holds: Callable[[float], bool]) -> Rule:
    return f"a float {words}", lambda value: _is_float(value) and holds(value)


def _three_floats(words: str, holds: Callable[[float], bool]) -> Rule:
    def is_allowed(value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != 3:
            return False
        return all(_is_float(channel) and holds(channel) for channel in value)

    return f"a tuple of three floats {words}", is_allowed


def _one_of(*names: str) -> Rule:
    return f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names


def _flag() -> Rule:
    return "True or False", lambda value: isinstance(value, bool)


def _positive_even() -> Rule:
    return "a positive even integer", lambda value: _is_int(value) and value > 0 and value % 2 == 0


_RULES: Final[dict[str, Rule]] = {
    "dataset": _one_of(*DATASETS),
    "classes": _int_from(2),
    "train_images": _int_from(1),
    "val_images": _int_from(1),
    "test_images": _int_from(1),
    "split_seed": _int_from(0, below=SEED_LIMIT),
    "resolution": _int_from(MIN_RESOLUTION),
    "mean": _three_floats("from 0 to 1", lambda x: 0 <= x <= 1),
    "std": _three_floats("above 0", lambda x: x > 0),
    "stem_channels": _positive_even(),  # the narrowest bottleneck of bconv halves them
    "epochs": _int_from(1),
    "batch_size": _int_from(2),  # batch normalisation needs more than one image
    "eval_batch_size": _int_from(1),
    "lr": _float_where("above 0", lambda x: x > 0),
    "schedule": _one_of(*SCHEDULES),
    "momentum": _float_where("from 0 to below 1", lambda x: 0 <= x < 1),
    "nesterov": _flag(),
    "weight_decay": _float_where("of 0 or more", lambda x: x >= 0),
    "randaugment_ops": _int_from(0),
    "randaugment_magnitude": _int_from(0),
    "randaugment_bins": _int_from(2),
    "flip_probability": _float_where("from 0 to 1", lambda x: 0 <= x <= 1),
    "crop_padding": _int_from(0),
    "cutout_size": _int_from(0),
    "precision": _one_of(*PRECISIONS),
    "deterministic": _flag(),
    "channels_last": _flag(),
    "cuda_graphs": _flag(),
    "compiled": _flag(),
    "cpu_threads": _int_from(1),
}
