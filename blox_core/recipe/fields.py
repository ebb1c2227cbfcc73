"""What each field of a recipe may hold, in words and as a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from blox_core.errors import RecipeError
from blox_core.rules import (
    FieldRules,
    Rule,
    flag,
    float_where,
    int_from,
    is_float,
    one_of,
    positive_even,
)

DATASETS: Final = ("cifar100", "cifar10", "digits")
PRECISIONS: Final = ("fp64", "fp32", "tf32", "bf16")
SCHEDULES: Final = ("cosine",)
# Three reductions halve the image; the last one needs 2 x 2 pixels.
MIN_RESOLUTION: Final = 8
# Release files hold seeds as u32; numpy's RandomState takes no larger ones either.
SEED_LIMIT: Final = 2**32


def check_seed(seed: int) -> None:
    """Raise RecipeError unless a training may have this seed."""
    if not 0 <= seed < SEED_LIMIT:
        raise RecipeError(f"seed {seed!r}: an integer of 0 or more below {SEED_LIMIT} is allowed")


def _three_floats(words: str, holds: Callable[[float], bool]) -> Rule:
    def is_allowed(value: Any) -> bool:
        if not isinstance(value, tuple) or len(value) != 3:
            return False
        return all(is_float(channel) and holds(channel) for channel in value)

    return f"a tuple of three floats {words}", is_allowed


# Of a model's shape, which recipes and latency protocols have.
SHAPE_RULES: Final[Mapping[str, Rule]] = {
    "stem_channels": positive_even(),  # the narrowest bottleneck of bconv halves them
    "classes": int_from(2),
    "resolution": int_from(MIN_RESOLUTION),
}

_RULES: Final[Mapping[str, Rule]] = {
    **SHAPE_RULES,
    "dataset": one_of(*DATASETS),
    "train_images": int_from(1),
    "val_images": int_from(1),
    "test_images": int_from(1),
    "split_seed": int_from(0, below=SEED_LIMIT),
    "mean": _three_floats("from 0 to 1", lambda x: 0 <= x <= 1),
    "std": _three_floats("above 0", lambda x: x > 0),
    "epochs": int_from(1),
    "batch_size": int_from(2),  # batch normalisation needs more than one image
    "eval_batch_size": int_from(1),
    "lr": float_where("above 0", lambda x: x > 0),
    "schedule": one_of(*SCHEDULES),
    "momentum": float_where("from 0 to below 1", lambda x: 0 <= x < 1),
    "nesterov": flag(),
    "weight_decay": float_where("of 0 or more", lambda x: x >= 0),
    "randaugment_ops": int_from(0),
    "randaugment_magnitude": int_from(0),
    "randaugment_bins": int_from(2),
    "flip_probability": float_where("from 0 to 1", lambda x: 0 <= x <= 1),
    "crop_padding": int_from(0),
    "cutout_size": int_from(0),
    "precision": one_of(*PRECISIONS),
    "deterministic": flag(),
    "channels_last": flag(),
    "cuda_graphs": flag(),
    "compiled": flag(),
    "cpu_threads": int_from(1),
}

RECIPE_FIELDS: Final = FieldRules(noun="recipe", error=RecipeError, rules=_RULES)
