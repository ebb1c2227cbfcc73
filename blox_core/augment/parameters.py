"""What happens to each training image in an epoch: drawn on the host, for all images at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_core.augment.rand_ops import SIGNED, RandOp
from blox_core.randomness import Stream, random_state
from blox_core.recipe import Recipe


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochParameters:
    """The parameters of n images' augmentation, in the order of the data set.

    `ops` and `negative` (n, randaugment_ops) say which RandOp comes when, and whether with a
    negative magnitude; `flipped` (n,) is whether left and right are exchanged; `offsets` (n, 2) is
    where a crop begins in the padded image, 0 … 2 · crop_padding, and `holes` (n, 2) the centre of
    the cutout, both as row and column.
    """

    ops: NDArray[np.int64]
    negative: NDArray[np.bool_]
    flipped: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    holes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.flipped)

    def parts(self, size: int) -> Iterator[tuple[slice, EpochParameters]]:
        """Yield the places and the parameters of `size` images after each other."""
        for start in range(0, len(self), size):
            place = slice(start, start + size)
            values: dict[str, Any] = {
                field.name: getattr(self, field.name)[place] for field in fields(self)
            }
            yield place, EpochParameters(**values)


def draw_parameters(recipe: Recipe, seed: int, epoch: int) -> EpochParameters:
    """Return an epoch's parameters (epochs count from 1), distributed as torchvision's are.

    Every array is drawn, also for what the recipe does not use, and always in the same order.
    """
    images, ops = recipe.train_images, recipe.randaugment_ops
    draws = random_state(seed, Stream.AUGMENTATION, epoch)
    chosen = draws.randint(len(RandOp), size=(images, ops))
    signed = (chosen >= SIGNED.start) & (chosen < SIGNED.stop)
    return EpochParameters(
        ops=chosen,
        negative=signed & (draws.randint(2, size=(images, ops)) == 1),
        flipped=draws.random_sample(images) < recipe.flip_probability,
        offsets=draws.randint(2 * recipe.crop_padding + 1, size=(images, 2)),
        holes=draws.randint(recipe.resolution, size=(images, 2)),
    )
