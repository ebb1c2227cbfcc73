"""What is put on a device to be timed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import LoadError
from blox_core.recipe import Recipe

# The first epoch warms up; the median is to be of three.
LEAST_EPOCHS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Load:
    """Processes side by side, each of which trains all `architectures` (arch indices) in turn.

    Each training is by `recipe` but for `epochs` alone, and on a `share` of the recipe's images.
    `device` is torch's name in a process. Raises LoadError for numbers of which nothing can be
    measured.
    """

    recipe: Recipe
    architectures: tuple[int, ...]
    device: str
    processes: int = 1
    epochs: int = LEAST_EPOCHS
    share: float = 1.0

    def __post_init__(self) -> None:
        rules = {
            "processes": (self.processes >= 1, "1 or more"),
            "epochs": (self.epochs >= LEAST_EPOCHS, f"{LEAST_EPOCHS} or more"),
            "share": (0 < self.share <= 1, "a number above 0 and up to 1"),
            "architectures": (len(self.architectures) > 0, "at least one arch index"),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise LoadError(f"load: {name} = {getattr(self, name)!r}: {allowed} is allowed")

    @property
    def timed_recipe(self) -> Recipe:
        """The recipe of the trainings that are timed: whole steps, where not of all images."""
        recipe = replace(self.recipe, epochs=self.epochs)
        if self._timed_steps == self._steps:
            return recipe
        return replace(
            recipe,
            train_images=self._timed_steps * recipe.batch_size,
            val_images=math.ceil(recipe.val_images / self.scale),
            test_images=math.ceil(recipe.test_images / self.scale),
        )

    @property
    def scale(self) -> float:
        """How many times more steps an epoch of the recipe has than one that is timed."""
        return self._steps / self._timed_steps

    @property
    def _steps(self) -> int:
        return math.ceil(self.recipe.train_images / self.recipe.batch_size)

    @property
    def _timed_steps(self) -> int:
        return max(1, round(self._steps * self.share))

    def of_process(self, number: int) -> tuple[int, ...]:
        """Return the architectures of a process (from 0): each begins with another one."""
        first = number % len(self.architectures)
        return self.architectures[first:] + self.architectures[:first]


def stratified_sample(flops: Sequence[int] | NDArray[np.int64], size: int) -> tuple[int, ...]:
    """Return arch indices: the middles of `size` equal strata of all architectures by FLOPs.

    `flops` are in the order of arch indices, as `complexity.params_and_flops` gives them. Raises
    LoadError for a size below 1 or above their number.
    """
    total = len(flops)
    if not 1 <= size <= total:
        raise LoadError(f"a sample of {size} architectures: 1 to {total} is allowed")
    by_flops = np.argsort(np.asarray(flops), kind="stable")
    return tuple(int(by_flops[(2 * stratum + 1) * total // (2 * size)]) for stratum in range(size))
